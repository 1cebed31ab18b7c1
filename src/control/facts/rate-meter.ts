/** Frames over which the rate is measured. */
const WINDOW = 100;

/** Mean rate of the latest frames, by the sender's clock, so that a slow host does not look like a slow robot. */
export class RateMeter {
  readonly #periods = new Float64Array(WINDOW);
  #count = 0;
  #sum = 0;

  /** All that it remembers, as plain data; see `tape/snapshot.ts`. */
  remember() {
    return { periods: [...this.#periods], count: this.#count, sum: this.#sum };
  }

  recall({ periods, count, sum }: ReturnType<RateMeter['remember']>): void {
    this.#periods.set(periods);
    this.#count = count;
    this.#sum = sum;
  }

  reset(): void {
    this.#count = 0;
    this.#sum = 0;
  }

  /** @param period time since the frame before [µs] */
  add(period: number): void {
    const slot = this.#count % WINDOW;
    if (this.#count >= WINDOW) this.#sum -= this.#periods[slot] ?? 0;
    this.#periods[slot] = period;
    this.#sum += period;
    this.#count += 1;
  }

  /** [Hz]; NaN until a whole window has been seen */
  get hertz(): number {
    return this.#count < WINDOW ? Number.NaN : (1e6 * WINDOW) / this.#sum;
  }
}
