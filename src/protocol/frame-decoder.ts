import { cobsDecode, cobsMaxLength } from './cobs.ts';
import { crc32 } from './crc32.ts';
import { type Frame, HEADER_SIZE, MAX_FRAME_SIZE, TRAILER_SIZE } from './frame-layout.ts';
import { type LinkCounters, noCounts } from './link-counters.ts';
import { DIRECTION, decodePayload, kindOfType, type Message, type MessageKind, PAYLOAD_SIZE } from './messages.gen.ts';
import { SequenceCheck } from './sequence-check.ts';

export interface FrameDecoderOptions {
  /**
   * who sends on this line: types of the other direction are `wrongDirection`. Not given, for a tap that sees both, all
   * types are taken; a `hello` of either side then makes it forget the sequences of both.
   */
  from?: 'mcu' | 'host';
}

/**
 * Bytes to frames by the receiver's rules (PROTOCOL.md §3). Takes bytes in any portions, keeps at most one frame of them,
 * and never throws. A frame that is refused is counted under one name and changes nothing else.
 */
export class FrameDecoder {
  readonly #wrongDirection: 'mcu-to-host' | 'host-to-mcu' | undefined;
  readonly #counters = noCounts();
  /** bytes since the last 0x00, still stuffed; decoded in place */
  readonly #buffer = new Uint8Array(cobsMaxLength(MAX_FRAME_SIZE));
  readonly #view = new DataView(this.#buffer.buffer);
  #length = 0;
  #skipping = false;
  readonly #sequences = new Map<MessageKind, SequenceCheck>();
  #helloNonce: number | undefined;

  constructor(options: FrameDecoderOptions = {}) {
    if (options.from === 'mcu') this.#wrongDirection = 'host-to-mcu';
    if (options.from === 'host') this.#wrongDirection = 'mcu-to-host';
  }

  /** Counts since this decoder was made. The object is live. */
  get counters(): Readonly<LinkCounters> {
    return this.#counters;
  }

  /** For a port that was opened anew: forgets the unfinished frame, all sequences and the peer's nonce, but no counts. */
  reset(): void {
    this.#length = 0;
    this.#skipping = false;
    this.#sequences.clear();
    this.#helloNonce = undefined;
  }

  /** Takes the next bytes of the line and returns the frames that they complete. */
  push(bytes: Uint8Array): Frame[] {
    const frames: Frame[] = [];
    for (const byte of bytes) {
      if (byte !== 0) {
        this.#collect(byte);
        continue;
      }
      // §3.1: 0x00 ends a frame; an empty one is legal and means nothing
      const frame = this.#skipping || this.#length === 0 ? undefined : this.#finish();
      if (frame) frames.push(frame);
      this.#length = 0;
      this.#skipping = false;
    }
    return frames;
  }

  #collect(byte: number): void {
    if (this.#skipping) return;
    if (this.#length < this.#buffer.length) {
      this.#buffer[this.#length++] = byte;
      return;
    }
    // §3.2: longer than any frame; counted once, the rest is not kept
    this.#counters.oversized++;
    this.#skipping = true;
  }

  #finish(): Frame | undefined {
    // §3.3: blocks that run past the end
    const length = cobsDecode(this.#buffer.subarray(0, this.#length), this.#buffer);
    if (length === undefined) return this.#refuse('malformed');
    // §3.4: no room for header and CRC
    const crcAt = length - TRAILER_SIZE;
    if (crcAt < HEADER_SIZE) return this.#refuse('truncated');
    // §3.5: nothing of a frame is believed before its CRC matches
    if (crc32(this.#buffer.subarray(0, crcAt)) !== this.#view.getUint32(crcAt, true)) return this.#refuse('corrupted');
    // §3.6: a type that this version has
    const kind = kindOfType(this.#view.getUint8(0));
    if (kind === undefined) return this.#refuse('unknownType');
    // §3.7: and that the other end sends
    if (DIRECTION[kind] === this.#wrongDirection) return this.#refuse('wrongDirection');
    // §3.8: a type has one length
    if (crcAt - HEADER_SIZE !== PAYLOAD_SIZE[kind]) return this.#refuse('wrongLength');
    // §3.9: an enum that this end cannot name
    const message = decodePayload(kind, this.#view, HEADER_SIZE);
    if (message === undefined) return this.#refuse('unknownValue');

    const sequence = this.#view.getUint16(1, true);
    const lost = this.#checkSequence(message, sequence);
    if (lost === undefined) return undefined;
    this.#counters.accepted++;
    this.#counters.lost += lost;
    // The union pairs each kind with its message; TypeScript cannot see that decodePayload does too.
    return { kind, sequence, time: this.#view.getUint32(3, true), message, lost } as Frame;
  }

  /** Frames lost before this one, or undefined if it is refused. */
  #checkSequence(message: Message, sequence: number): number | undefined {
    // §3.14: a stop must work whatever its number, and a hello comes from an end that may just have started
    if (message.kind === 'estop') return 0;
    if (message.kind === 'hello') {
      if (message.nonce !== this.#helloNonce) this.#sequences.clear();
      this.#helloNonce = message.nonce;
      return 0;
    }
    let check = this.#sequences.get(message.kind);
    if (!check) {
      check = new SequenceCheck();
      this.#sequences.set(message.kind, check);
    }
    const verdict = check.judge(sequence);
    if (verdict.is === 'duplicated' || verdict.is === 'outOfOrder') return this.#refuse(verdict.is);
    if (verdict.is === 'resynchronised') this.#counters.resynchronised++;
    return verdict.lost;
  }

  #refuse(counter: keyof LinkCounters): undefined {
    this.#counters[counter]++;
    return undefined;
  }
}
