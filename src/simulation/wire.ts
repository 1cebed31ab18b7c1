type Deliver = (bytes: Uint8Array) => void;

/**
 * One direction of a serial line in MCU time [µs]: each byte takes ten bits. Without a baud rate bytes pass at once.
 */
export class Wire {
  readonly #microsPerByte: number;
  readonly #deliver: Deliver;
  #queue: { bytes: Uint8Array; at: number }[] = [];
  /** when the last byte given to it is through */
  #busyUntil = 0;

  constructor(baud: number | undefined, deliver: Deliver) {
    this.#microsPerByte = baud === undefined ? 0 : 10_000_000 / baud;
    this.#deliver = deliver;
  }

  /** Bytes are still on their way. */
  get busy(): boolean {
    return this.#queue.length > 0;
  }

  send(bytes: Uint8Array, now: number): void {
    if (this.#microsPerByte === 0) {
      this.#deliver(bytes);
      return;
    }
    this.#busyUntil = Math.max(now, this.#busyUntil) + bytes.length * this.#microsPerByte;
    this.#queue.push({ bytes, at: this.#busyUntil });
  }

  /** Delivers what is through by now. */
  tick(now: number): void {
    while (this.#queue[0] && this.#queue[0].at <= now) {
      const due = this.#queue.shift();
      if (due) this.#deliver(due.bytes);
    }
  }

  /** The plug was pulled. */
  clear(): void {
    this.#queue = [];
    this.#busyUntil = 0;
  }
}
