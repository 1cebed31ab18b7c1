import { EdgeError } from '../errors.ts';
import { cobsEncode, cobsMaxLength } from './cobs.ts';
import { crc32 } from './crc32.ts';
import { HEADER_SIZE, MAX_FRAME_SIZE, TRAILER_SIZE } from './frame-layout.ts';
import { encodePayload, type Message, type MessageKind, MessageType } from './messages.gen.ts';

export interface FrameEncoderOptions {
  /** sequence of the first frame of each type; 0 if not given */
  firstSequence?: number;
}

/** Message to frame (PROTOCOL.md §2). Counts sequences: one encoder per sender, for as long as the port is open. */
export class FrameEncoder {
  readonly #firstSequence: number;
  readonly #next = new Map<MessageKind, number>();
  readonly #raw = new Uint8Array(MAX_FRAME_SIZE);
  readonly #view = new DataView(this.#raw.buffer);
  /** delimiter, stuffed frame, delimiter */
  readonly #wire = new Uint8Array(1 + cobsMaxLength(MAX_FRAME_SIZE) + 1);
  readonly #stuffed = this.#wire.subarray(1);

  constructor(options: FrameEncoderOptions = {}) {
    this.#firstSequence = (options.firstSequence ?? 0) & 0xffff;
  }

  /** Sequence that the next frame of this kind will carry. */
  nextSequence(kind: MessageKind): number {
    return this.#next.get(kind) ?? this.#firstSequence;
  }

  /**
   * Encodes one message as one frame, its ending 0x00 included, and for `estop` and `hello` one 0x00 before it.
   *
   * @param timeMicros the sender's monotonic clock [µs]; sent modulo 2^32, so any safe integer will do
   * @returns bytes of their own, which the caller may keep
   * @throws EdgeError `fieldOutOfRange` for NaN in a numeric field or a time that is no number; no sequence is used up then
   */
  encode(message: Message, timeMicros: number): Uint8Array {
    if (!Number.isFinite(timeMicros)) {
      throw new EdgeError('fieldOutOfRange', `"time" must be a number: ${timeMicros}`, 'pass a monotonic clock in µs');
    }
    const payloadLength = encodePayload(message, this.#view, HEADER_SIZE);
    const sequence = this.nextSequence(message.kind);

    // §2.2: header
    this.#view.setUint8(0, MessageType[message.kind]);
    this.#view.setUint16(1, sequence, true);
    this.#view.setUint32(3, timeMicros, true);
    // §2.3: CRC over header and payload
    const crcAt = HEADER_SIZE + payloadLength;
    this.#view.setUint32(crcAt, crc32(this.#raw.subarray(0, crcAt)), true);
    // §2.4, §2.5: COBS, then the delimiter
    const length = cobsEncode(this.#raw.subarray(0, crcAt + TRAILER_SIZE), this.#stuffed);
    this.#stuffed[length] = 0;

    this.#next.set(message.kind, (sequence + 1) & 0xffff);
    // §2.5: these two arrive whatever half a frame or noise came before them
    const flushes = message.kind === 'estop' || message.kind === 'hello';
    return this.#wire.slice(flushes ? 0 : 1, 1 + length + 1);
  }
}
