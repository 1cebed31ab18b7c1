/** Over how many control periods a return counts, however long the episode: the length of the paper's episodes. */
const returnFrames = 1000;
/** A robot may take this long to reach its speed before errors of speed count [s]. */
const settlingTime = 2;

/** One control period of a balancing robot, by ground truth. */
export interface BalanceFrame {
  readonly reward: number;
  /** from where it was to be: the task's start, moving on at the task's speed [m] */
  readonly offset: number;
  /** less the task's [m/s] */
  readonly speedError: number;
  /** [rad] */
  readonly pitch: number;
  /** commanded total of both wheels [N·m] */
  readonly torque: number;
}

/** Sums over an episode, by ground truth; results come from here and not from what sensors tell. */
export class Tally {
  /** control periods so far */
  frames = 0;
  /** sum of the rewards of the first 1000 control periods */
  returned = 0;
  /** [m] */
  maxAbsX = 0;
  readonly #seconds: number;
  #speed = 0;
  #settled = 0;
  #settledFrames = 0;
  #pitch = 0;
  #torque = 0;

  /** @param frameSeconds [s] of one control period */
  constructor(frameSeconds: number) {
    this.#seconds = frameSeconds;
  }

  get seconds(): number {
    return this.frames * this.#seconds;
  }

  /** [m/s], after the first 2 s; of less than that, over all of it */
  get rmsSpeedError(): number {
    return this.#settledFrames > 0 ? rms(this.#settled, this.#settledFrames) : rms(this.#speed, this.frames);
  }

  /** [rad] */
  get rmsPitch(): number {
    return rms(this.#pitch, this.frames);
  }

  /** [N·m] */
  get rmsTorque(): number {
    return rms(this.#torque, this.frames);
  }

  clear(): void {
    this.frames = 0;
    this.returned = 0;
    this.maxAbsX = 0;
    this.#speed = 0;
    this.#settled = 0;
    this.#settledFrames = 0;
    this.#pitch = 0;
    this.#torque = 0;
  }

  /** One control period of which only the reward matters. */
  count(reward: number): void {
    if (this.frames < returnFrames) this.returned += reward;
    this.frames += 1;
  }

  /** One control period of a balancing robot. */
  balance({ reward, offset, speedError, pitch, torque }: BalanceFrame): void {
    this.count(reward);
    this.maxAbsX = Math.max(this.maxAbsX, Math.abs(offset));
    this.#speed += speedError ** 2;
    if (this.seconds > settlingTime) {
      this.#settled += speedError ** 2;
      this.#settledFrames += 1;
    }
    this.#pitch += pitch ** 2;
    this.#torque += torque ** 2;
  }
}

const rms = (squares: number, count: number): number => (count > 0 ? Math.sqrt(squares / count) : 0);
