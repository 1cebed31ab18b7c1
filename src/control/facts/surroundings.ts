/** What the gateway may say of its recorder. */
export type RecorderProblem = '' | 'behind' | 'disk-full';

export interface Clocks {
  /** monotonic [ms] */
  readonly now: () => number;
  /** wall clock [ms since 1970]; none where only virtual time passes */
  readonly wall?: (() => number) | undefined;
}

/** A word of the gateway counts for so long [ms]; one that has died says nothing of the disk. */
const REPORT_FRESH = 10_000;
/** A jump of the wall clock is told for so long [ms]. */
const STEP_TOLD = 10_000;

/**
 * What control is told or sees of what is around it: broker, recorder, wall clock. Nothing of it comes from the robot, and
 * the failsafe table lets none of it do more than warn.
 */
export class Surroundings {
  /** a broker is configured and there is no connection to it */
  brokerLost = false;
  readonly #clocks: Clocks;
  #problem: RecorderProblem = '';
  #reportedAt = Number.NEGATIVE_INFINITY;
  #rowsLost = 0;
  #rowsLostAt = Number.NEGATIVE_INFINITY;
  #offset: number | undefined;
  #step = 0;
  #steppedAt = Number.NEGATIVE_INFINITY;

  constructor(clocks: Clocks) {
    this.#clocks = clocks;
  }

  /** The gateway says how its recorder does. It may say anything; this is only remembered for a moment. */
  recorderReports(problem: RecorderProblem): void {
    this.#problem = problem;
    this.#reportedAt = this.#clocks.now();
  }

  /** @param total rows that had to be dropped from memory since the start */
  rowsLost(total: number): void {
    if (total > this.#rowsLost) this.#rowsLostAt = this.#clocks.now();
    this.#rowsLost = total;
  }

  get recorderBehind(): boolean {
    return this.#isFresh(this.#rowsLostAt) || (this.#problem === 'behind' && this.#isFresh(this.#reportedAt));
  }

  get diskFull(): boolean {
    return this.#problem === 'disk-full' && this.#isFresh(this.#reportedAt);
  }

  /** Asks for the time only if there is something to be old. */
  #isFresh(at: number): boolean {
    return Number.isFinite(at) && this.#clocks.now() - at < REPORT_FRESH;
  }

  /** Compares the clocks; called once a frame. @returns the largest jump of late [s] */
  clockStep(): number {
    const { now, wall } = this.#clocks;
    if (!wall) return 0;
    const time = now();
    const offset = wall() - time;
    const jump = Math.abs(offset - (this.#offset ?? offset)) / 1000;
    this.#offset = offset;
    if (time - this.#steppedAt >= STEP_TOLD) this.#step = 0;
    if (jump > this.#step) {
      this.#step = jump;
      this.#steppedAt = time;
    }
    return this.#step;
  }
}
