/**
 * Framing of control's unix socket: u32 little-endian length of what follows, u8 kind, payload. JSON for requests and
 * answers, raw bytes for rows, so that a row is encoded once and never again on its way to the disk.
 */
export const SocketKind = { json: 0, row: 1 } as const;
export type SocketKindValue = (typeof SocketKind)[keyof typeof SocketKind];

/** Longest payload that is accepted from the other side [bytes]. */
export const MAX_SOCKET_PAYLOAD = 1 << 20;

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

/** Splits a byte stream into framed messages. */
export class SocketSplitter {
  #pending: Buffer = Buffer.alloc(0);

  /**
   * @returns complete messages, or `undefined` when the stream claims a message longer than `MAX_SOCKET_PAYLOAD`: the
   *   peer does not speak this protocol and the connection is to be closed
   */
  push(bytes: Buffer): SocketMessage[] | undefined {
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
    const messages: SocketMessage[] = [];
    while (this.#pending.length >= 5) {
      const length = this.#pending.readUInt32LE(0);
      if (length < 1 || length > MAX_SOCKET_PAYLOAD) return undefined;
      if (this.#pending.length < 4 + length) break;
      messages.push({ kind: this.#pending.readUInt8(4), payload: this.#pending.subarray(5, 4 + length) });
      this.#pending = this.#pending.subarray(4 + length);
    }
    return messages;
  }
}
