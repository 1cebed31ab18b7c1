import { BATCH_ROWS } from './source.ts';
import { allocate, copyInto, rowsOf, type Shape, type Transitions } from './transitions.ts';

/** One transition, on its way into a batch. */
export interface Transition {
  readonly observation: ArrayLike<number>;
  readonly action: ArrayLike<number>;
  readonly reward: number;
  readonly nextObservation: ArrayLike<number>;
  readonly terminal: boolean;
  readonly timeout: boolean;
  readonly marks: number;
}

/**
 * Fills batches transition by transition. That an episode was broken off is known only when something else comes, so the
 * last row of a batch is held back until then.
 */
export class BatchWriter {
  readonly #shape: Shape;
  #batch: Transitions;
  #count = 0;

  constructor(shape: Shape) {
    this.#shape = shape;
    this.#batch = allocate(BATCH_ROWS, shape);
  }

  /** @returns a batch that is complete now */
  append(transition: Transition): Transitions | undefined {
    const full = this.#count === BATCH_ROWS ? this.#allButLast() : undefined;
    const { observationSize, actionSize } = this.#shape;
    const batch = this.#batch;
    const row = this.#count;
    batch.observations.set(transition.observation, row * observationSize);
    batch.actions.set(transition.action, row * actionSize);
    batch.rewards[row] = transition.reward;
    batch.nextObservations.set(transition.nextObservation, row * observationSize);
    batch.terminals[row] = Number(transition.terminal);
    batch.timeouts[row] = Number(transition.timeout);
    if (batch.marks) batch.marks[row] = transition.marks;
    this.#count += 1;
    return full;
  }

  /** What comes next does not follow on the row that came last. */
  break(): void {
    const last = this.#count - 1;
    if (last >= 0 && this.#batch.terminals[last] !== 1) this.#batch.timeouts[last] = 1;
  }

  /** @returns what is left; the last row is the end of an episode */
  end(): Transitions | undefined {
    this.break();
    const rest = this.#count > 0 ? rowsOf(this.#batch, 0, this.#count) : undefined;
    this.#batch = allocate(BATCH_ROWS, this.#shape);
    this.#count = 0;
    return rest;
  }

  #allButLast(): Transitions {
    const full = this.#batch;
    this.#batch = allocate(BATCH_ROWS, this.#shape);
    copyInto(this.#batch, 0, rowsOf(full, this.#count - 1, this.#count));
    const complete = rowsOf(full, 0, this.#count - 1);
    this.#count = 1;
    return complete;
  }
}
