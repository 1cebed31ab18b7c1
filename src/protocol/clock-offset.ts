/** 1 µs in 5 ms: 200 ppm, two crystals at their worst (PROTOCOL.md §10). */
const DRIFT = 1 / 5000;

/** Host time − MCU time at the same instant [µs], and how far off it may be at most [µs]. */
export interface Offset {
  readonly offset: number;
  readonly uncertainty: number;
}

/**
 * Relates the MCU's clock to the host's (PROTOCOL.md §10) from frames that travel anyway: nothing arrives before it was
 * sent. For logs and latencies; nothing that moves the robot depends on it. All times [µs], unwrapped.
 */
export class ClockOffset {
  #lower = Number.NEGATIVE_INFINITY;
  #upper = Number.POSITIVE_INFINITY;
  /** MCU time up to which the drift is in the bounds */
  #at = Number.NaN;

  /** The port was opened, or the MCU started anew. */
  reset(): void {
    this.#lower = Number.NEGATIVE_INFINITY;
    this.#upper = Number.POSITIVE_INFINITY;
    this.#at = Number.NaN;
  }

  /** §10.3: a frame that was sampled at `sampled` has arrived at `arrived`, on the host's clock. */
  arrived(sampled: number, arrived: number): void {
    this.#drift(sampled);
    this.#take(this.#lower, Math.min(this.#upper, arrived - sampled), Number.NEGATIVE_INFINITY, arrived - sampled);
  }

  /** §10.3: a frame sampled at `sampled` confirms a command that was built at `built` on the host's clock. */
  answered(sampled: number, built: number): void {
    this.#drift(sampled);
    this.#take(Math.max(this.#lower, built - sampled), this.#upper, built - sampled, Number.POSITIVE_INFINITY);
  }

  /** `undefined` until there is a bound on either side. */
  get estimate(): Offset | undefined {
    const width = this.#upper - this.#lower;
    return Number.isFinite(width) ? { offset: this.#lower + width / 2, uncertainty: width / 2 } : undefined;
  }

  /** §10.4: the clocks drift apart while no bound is taken in. */
  #drift(now: number): void {
    const drift = Math.max(0, now - this.#at) * DRIFT;
    if (drift > 0) {
      this.#lower -= drift;
      this.#upper += drift;
    }
    this.#at = now;
  }

  /** §10.4: bounds that cross show that a clock was set; what was seen last is what holds. */
  #take(lower: number, upper: number, newLower: number, newUpper: number): void {
    const crossed = lower > upper;
    this.#lower = crossed ? newLower : lower;
    this.#upper = crossed ? newUpper : upper;
  }
}
