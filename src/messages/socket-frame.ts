/**
 * Framing of control's unix socket: u32 little-endian length of what follows, u8 kind, payload. JSON for requests and
 * answers, raw bytes for rows and for blocks of the tape, so that they are encoded once and never again on their way to the
 * disk.
 */
export const SocketKind = { json: 0, row: 1, tape: 2 } as const;
export type SocketKindValue = (typeof SocketKind)[keyof typeof SocketKind];

/** Longest payload of a request [bytes]: control parses it between two sensor frames. */
export const MAX_REQUEST = 8 << 10;
/** Longest payload of an answer, an event or a row [bytes]. */
export const MAX_ANSWER = 1 << 20;

/** One framed message. */
export function frameForSocket(kind: SocketKindValue, payload: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(5 + payload.length);
  framed.writeUInt32LE(1 + payload.length, 0);
  framed.writeUInt8(kind, 4);
  framed.set(payload, 5);
  return framed;
}

export const jsonForSocket = (value: unknown): Buffer =>
  frameForSocket(SocketKind.json, Buffer.from(JSON.stringify(value)));

export type SocketMessage = { readonly kind: number; readonly payload: Buffer };

/** Splits a byte stream into framed messages, one at a time, so that its reader may stop between any two. */
export class SocketSplitter {
  readonly #longest: number;
  #pending: Buffer = Buffer.alloc(0);
  /** the stream claims a message that is too long: the peer does not speak this protocol */
  broken = false;

  /** @param longest payload that is accepted from the other side [bytes] */
  constructor(longest: number) {
    this.#longest = longest;
  }

  push(bytes: Buffer): void {
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
  }

  /** The next whole message, or `undefined` until more bytes have come. */
  next(): SocketMessage | undefined {
    if (this.broken || this.#pending.length < 5) return undefined;
    const length = this.#pending.readUInt32LE(0);
    if (length < 1 || length > 1 + this.#longest) {
      this.broken = true;
      return undefined;
    }
    if (this.#pending.length < 4 + length) return undefined;
    const message = { kind: this.#pending.readUInt8(4), payload: this.#pending.subarray(5, 4 + length) };
    this.#pending = this.#pending.subarray(4 + length);
    return message;
  }
}
