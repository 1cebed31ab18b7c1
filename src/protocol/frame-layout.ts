import { MAX_PAYLOAD, type MessageKind, type MessageOf } from './messages.gen.ts';

/** Bytes before the payload: type u8, sequence u16, time u32 (PROTOCOL.md §2.2). */
export const HEADER_SIZE = 7;

/** Bytes after the payload: CRC-32 (PROTOCOL.md §2.3). */
export const TRAILER_SIZE = 4;

/** Most bytes of a frame before COBS. */
export const MAX_FRAME_SIZE = HEADER_SIZE + MAX_PAYLOAD + TRAILER_SIZE;

interface FrameOf<K extends MessageKind> {
  readonly kind: K;
  /** counts the sender's frames of this type, modulo 2^16 */
  readonly sequence: number;
  /** [µs] sender's monotonic clock, modulo 2^32; for `sensors` the instant of sampling */
  readonly time: number;
  readonly message: MessageOf<K>;
  /** frames of this type that are missing between the one accepted before and this one */
  readonly lost: number;
}

/** A frame that a receiver accepted. Testing `kind` narrows `message`. */
export type Frame = { [K in MessageKind]: FrameOf<K> }[MessageKind];
