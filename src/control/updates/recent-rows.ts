/** Encoded rows of the latest half minute, whether or not somebody has recorded them. */
export class RecentRows {
  readonly #ring: Uint8Array[] = [];
  readonly #capacity: number;
  #next = 0;

  /** @param capacity half a minute at 200 Hz */
  constructor(capacity = 6000) {
    this.#capacity = capacity;
  }

  push(row: Uint8Array): void {
    this.#ring[this.#next % this.#capacity] = row;
    this.#next += 1;
  }

  /** Oldest first, in pieces that are quick to hand over. @param most rows in each */
  pieces(most = 200): Uint8Array[][] {
    const oldest = Math.max(0, this.#next - this.#capacity);
    const pieces: Uint8Array[][] = [];
    for (let at = oldest; at < this.#next; at++) {
      const row = this.#ring[at % this.#capacity];
      if ((at - oldest) % most === 0) pieces.push([]);
      if (row) pieces.at(-1)?.push(row);
    }
    return pieces;
  }
}
