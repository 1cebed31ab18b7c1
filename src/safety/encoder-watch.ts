type Pair = readonly [number, number];

/** What one frame says of the wheels' encoders; left before right. */
export interface EncoderSample {
  /** [rad] */
  readonly position: Pair;
  /** [rad/s] */
  readonly velocity: Pair;
  /** since the frame before [s] */
  readonly dt: number;
  /** the stream begins here */
  readonly first: boolean;
}

/** How long a difference is remembered [s]. */
const MEMORY = 0.5;
/** The most that one frame adds [rad]: a single jump, as of an encoder that found its index, is no lasting difference. */
const MOST = 0.1;
/** A longer pause compares nothing [s]. */
const LONGEST_STEP = 0.025;

/**
 * Whether the position of a wheel goes where its velocity says. Odometry adds up the one and the balancer damps with the
 * other; a robot that has lost either drives off without any other sign.
 */
export class EncoderWatch {
  /** between the way by position and the way by velocity, remembered for half a second, the worse wheel [rad] */
  error = 0;
  #errors: [number, number] = [0, 0];
  #before: EncoderSample | undefined;

  /** All that it remembers, as plain data. */
  remember() {
    return { error: this.error, errors: this.#errors, before: this.#before };
  }

  recall(memory: ReturnType<EncoderWatch['remember']>): void {
    this.error = memory.error;
    this.#errors = memory.errors;
    this.#before = memory.before;
  }

  update(sample: EncoderSample): void {
    const before = sample.first ? undefined : this.#before;
    this.#before = sample;
    if (!before) this.#errors = [0, 0];
    else if (sample.dt > 0 && sample.dt <= LONGEST_STEP) {
      const keep = 1 - sample.dt / MEMORY;
      const next = (wheel: 0 | 1) => {
        const way = sample.position[wheel] - before.position[wheel];
        const expected = ((sample.velocity[wheel] + before.velocity[wheel]) / 2) * sample.dt;
        return keep * this.#errors[wheel] + Math.min(MOST, Math.max(-MOST, way - expected));
      };
      this.#errors = [next(0), next(1)];
    }
    this.error = Math.max(Math.abs(this.#errors[0]), Math.abs(this.#errors[1]));
    // What is not finite now must not be remembered; this frame has said what it had to say.
    if (!Number.isFinite(this.error)) this.#errors = [0, 0];
  }
}
