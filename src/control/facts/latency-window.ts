/** Answers that the window holds: five seconds at 200 Hz, and enough for one in a thousand. */
const WINDOW = 1024;

/**
 * Latencies of the latest answers. Whether this host is fast enough now is not a question of last week, which the histogram
 * remembers, and one stall of the machine must not count for ever.
 */
export class LatencyWindow {
  readonly #values = new Float64Array(WINDOW);
  #next = 0;
  #count = 0;

  get samples(): number {
    return this.#count;
  }

  /** @param latency [µs] */
  add(latency: number): void {
    this.#values[this.#next] = latency;
    this.#next = (this.#next + 1) % WINDOW;
    if (this.#count < WINDOW) this.#count += 1;
  }

  /** 99.9 % of the latencies are no larger; of fewer than a thousand it is the largest [µs]. NaN without any. Sorts. */
  p999(): number {
    const sorted = this.#values.slice(0, this.#count).sort();
    return sorted[Math.ceil(0.999 * this.#count) - 1] ?? Number.NaN;
  }
}
