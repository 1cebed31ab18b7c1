/**
 * Lets so many bytes a second through. One that is larger than what is there goes as long as anything is there, and is
 * waited for afterwards: so no size is ever stuck.
 */
export class TokenBucket {
  readonly #bytesPerMs: number;
  readonly #now: () => number;
  #level: number;
  #since: number;

  /**
   * @param kilobytesPerSecond a kilobyte is 1000 bytes; 0: no limit
   * @param now monotonic [ms]
   */
  constructor(kilobytesPerSecond: number, now: () => number) {
    this.#bytesPerMs = kilobytesPerSecond === 0 ? Number.POSITIVE_INFINITY : kilobytesPerSecond;
    this.#now = now;
    this.#level = this.#most;
    this.#since = now();
  }

  /** Takes the bytes. @returns 0, or how long to wait before asking again; nothing was taken then [ms] */
  take(bytes: number): number {
    if (this.#bytesPerMs === Number.POSITIVE_INFINITY) return 0;
    const now = this.#now();
    this.#level = Math.min(this.#most, this.#level + this.#bytesPerMs * Math.max(0, now - this.#since));
    this.#since = now;
    if (this.#level <= 0) return Math.max(1, Math.ceil(-this.#level / this.#bytesPerMs));
    this.#level -= bytes;
    return 0;
  }

  /** What a pause saves up: a quarter of a second [bytes]. */
  get #most(): number {
    return 250 * this.#bytesPerMs;
  }
}
