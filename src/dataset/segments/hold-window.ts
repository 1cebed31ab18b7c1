import type { Transition } from '../batch-writer.ts';
import { markBit } from '../marks.ts';

/** A row of a running robot, reduced to what a transition is made of. */
export interface Frame extends Transition {
  /** total torque that the controller asked for [N·m] */
  readonly requested: number;
  /** what the policy saw at its latest decision; empty for another controller */
  readonly decidedOn: readonly number[];
}

/**
 * Makes one transition of the `hold` frames for which a decision is held: s of the first, s' of the last, the mean of the
 * actions that were applied and of the rewards. A fall ends a window early, any other break leaves it unfinished.
 *
 * Windows have to begin where the policy decides. A row does not say whether it is such a place, but its observation is
 * that of the latest decision and changes there: once changes have been seen `hold` frames apart, windows follow them.
 */
export class HoldWindow {
  readonly #hold: number;
  #frames: Frame[] = [];
  /** frames that were given up because no whole window came of them */
  dropped = 0;
  #before: Frame | undefined;
  /** frames since the observation changed; `undefined` before the first change of an uninterrupted run */
  #sinceChange: number | undefined;
  /** fewest frames between two changes */
  #period = Number.POSITIVE_INFINITY;

  constructor(hold: number) {
    this.#hold = hold;
  }

  /** @returns the transition that this frame completes */
  take(frame: Frame): Transition | undefined {
    if (this.#hold === 1) return frame;
    this.#align(frame);
    this.#frames.push(frame);
    if (this.#frames.length < this.#hold && !frame.terminal && !frame.timeout) return undefined;
    if (this.#frames.length < this.#hold && !frame.terminal) {
      this.giveUp();
      return undefined;
    }
    const window = join(this.#frames);
    this.#frames = [];
    return window;
  }

  /** The run of frames is interrupted. */
  break(): void {
    this.giveUp();
    this.#before = undefined;
    this.#sinceChange = undefined;
  }

  /** Whether a window is open, so that what comes next would not follow on the transition before it. */
  giveUp(): boolean {
    const open = this.#frames.length > 0;
    this.dropped += this.#frames.length;
    this.#frames = [];
    return open;
  }

  #align(frame: Frame): void {
    const before = this.#before;
    this.#before = frame;
    if (before === undefined || same(before.decidedOn, frame.decidedOn)) {
      if (this.#sinceChange !== undefined) this.#sinceChange += 1;
      return;
    }
    if (this.#sinceChange !== undefined) this.#period = Math.min(this.#period, this.#sinceChange + 1);
    this.#sinceChange = 0;
    if (this.#period === this.#hold) this.giveUp();
  }
}

const same = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((value, index) => Object.is(value, b[index]));

function join(frames: readonly Frame[]): Transition {
  const [first] = frames;
  const last = frames.at(-1);
  if (first === undefined || last === undefined) throw new RangeError('a window without frames');
  const mean = (value: (frame: Frame) => number) =>
    frames.reduce((sum, frame) => sum + value(frame), 0) / frames.length;
  const held = frames.every(({ requested }) => requested === first.requested);
  return {
    observation: first.observation,
    action: Array.from(first.action, (_, index) => mean(({ action }) => action[index] ?? 0)),
    reward: mean(({ reward }) => reward),
    nextObservation: last.nextObservation,
    terminal: last.terminal,
    timeout: last.timeout,
    marks: frames.reduce((marks, frame) => marks | frame.marks, held ? 0 : markBit('not-held')),
  };
}
