type Pair = readonly [number, number];

/** What one frame says of the wheels' drives; left before right. */
export interface DriveSample {
  /** torque that the MCU applied since the sample before [N·m] */
  readonly applied: Pair;
  /** torque that the motors measured; undefined where they do not [N·m] */
  readonly measured: Pair | undefined;
  /** since the frame before [s] */
  readonly dt: number;
  /** the stream begins here */
  readonly first: boolean;
}

/** Both torques are smoothed over this time, so that a drive's delay of a frame or two does not count [s]. */
const SMOOTHING = 0.05;
/** How long they are compared [s]. */
const MEMORY = 1;
/** Below this nothing is said of a drive [N·m]. */
const LEAST_TORQUE = 0.02;
/** A longer pause counts as this [s]. */
const LONGEST_STEP = 0.025;

/**
 * How much of the torque that it is told a wheel's drive gives, by least squares over a second. A robot that stands still asks
 * for so little that a dead drive differs from a good one by hundredths of N·m; what they share of their ups and downs tells them apart.
 */
export class DriveWatch {
  /**
   * the most that the worse drive can give of what it is told, three standard deviations above the estimate, so that
   * noise looks good and never bad; infinite where too little happens, or is measured, to tell
   */
  gain = Number.POSITIVE_INFINITY;
  readonly #left = new GainMeter();
  readonly #right = new GainMeter();

  /** All that it remembers, as plain data. */
  remember() {
    return { gain: this.gain, left: this.#left.remember(), right: this.#right.remember() };
  }

  recall(memory: ReturnType<DriveWatch['remember']>): void {
    this.gain = memory.gain;
    this.#left.recall(memory.left);
    this.#right.recall(memory.right);
  }

  update({ applied, measured, dt, first }: DriveSample): void {
    if (first || measured === undefined) {
      this.#left.reset();
      this.#right.reset();
      this.gain = Number.POSITIVE_INFINITY;
      return;
    }
    const step = dt > 0 ? Math.min(dt, LONGEST_STEP) : 0;
    this.#left.update(applied[0], measured[0], step);
    this.#right.update(applied[1], measured[1], step);
    this.gain = Math.min(this.#left.most, this.#right.most);
  }
}

class GainMeter {
  most = Number.POSITIVE_INFINITY;
  #elapsed = 0;
  #applied = 0;
  #measured = 0;
  #appliedSquare = 0;
  #measuredSquare = 0;
  #product = 0;

  remember() {
    return {
      most: this.most,
      elapsed: this.#elapsed,
      applied: this.#applied,
      measured: this.#measured,
      appliedSquare: this.#appliedSquare,
      measuredSquare: this.#measuredSquare,
      product: this.#product,
    };
  }

  recall(memory: ReturnType<GainMeter['remember']>): void {
    this.most = memory.most;
    this.#elapsed = memory.elapsed;
    this.#applied = memory.applied;
    this.#measured = memory.measured;
    this.#appliedSquare = memory.appliedSquare;
    this.#measuredSquare = memory.measuredSquare;
    this.#product = memory.product;
  }

  reset(): void {
    this.most = Number.POSITIVE_INFINITY;
    this.#elapsed = 0;
    this.#applied = 0;
    this.#measured = 0;
    this.#appliedSquare = 0;
    this.#measuredSquare = 0;
    this.#product = 0;
  }

  update(applied: number, measured: number, dt: number): void {
    this.#elapsed += dt;
    this.#applied += (dt / SMOOTHING) * (applied - this.#applied);
    this.#measured += (dt / SMOOTHING) * (measured - this.#measured);
    const [x, y, share] = [this.#applied, this.#measured, dt / MEMORY];
    this.#appliedSquare += share * (x * x - this.#appliedSquare);
    this.#measuredSquare += share * (y * y - this.#measuredSquare);
    this.#product += share * (x * y - this.#product);
    this.most = Number.POSITIVE_INFINITY;
    if (!Number.isFinite(this.#product)) this.reset();
    if (this.#elapsed < MEMORY || !(this.#appliedSquare > LEAST_TORQUE ** 2)) return;
    const gain = this.#product / this.#appliedSquare;
    const unexplained = Math.max(0, this.#measuredSquare / this.#appliedSquare - gain * gain);
    // Samples closer together than the smoothing say the same twice.
    this.most = gain + 3 * Math.sqrt((unexplained * SMOOTHING) / MEMORY);
  }
}
