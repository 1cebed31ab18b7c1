/**
 * Extends a counter that wraps at 2^16 or 2^32 to one that never goes back: a safe integer for many years of µs.
 * A value up to half the range behind the newest is a late one, not a wrap: it yields the newest again.
 */
export class Unwrapper {
  readonly #modulus: number;
  #newest: number | undefined;

  constructor(bits: 16 | 32) {
    this.#modulus = 2 ** bits;
  }

  /**
   * @param value the wrapping counter; the first one is taken as it is
   * @returns the counter without wraps, never less than before
   */
  next(value: number): number {
    if (this.#newest === undefined) {
      this.#newest = value;
      return value;
    }
    const difference = (value - this.#newest) % this.#modulus;
    const ahead = difference < 0 ? difference + this.#modulus : difference;
    if (ahead < this.#modulus / 2) this.#newest += ahead;
    return this.#newest;
  }

  /** The next value is a first one again: for a sender that restarted its clock. */
  reset(): void {
    this.#newest = undefined;
  }
}
