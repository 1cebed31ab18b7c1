import type { Transitions } from '../../dataset/transitions.ts';
import type { View } from './view.ts';

/** Where a batch goes: memory of rows × width each, views into a step's inputs. */
export interface BatchMemory {
  readonly rows: number;
  readonly s: Float32Array;
  readonly a: Float32Array;
  readonly sNext: Float32Array;
  /** absent where only transitions are asked for */
  readonly r?: Float32Array;
  readonly done?: Float32Array;
}

/** What the ring's memory looks like in a checkpoint. */
export interface RingMemory {
  readonly observations: Float32Array;
  readonly actions: Float32Array;
  readonly rewards: Float32Array;
  readonly nextObservations: Float32Array;
  readonly ends: Uint8Array;
}

/** How a transition ended, bits. */
const TERMINAL = 1;
const TIMEOUT = 2;

/** The newest transitions of one seed's simulator, as measured; the oldest go when it is full. */
export class TransitionMemory {
  readonly capacity: number;
  readonly observationSize: number;
  readonly actionSize: number;
  /** rows that were ever added */
  added = 0;
  readonly #observations: Float32Array;
  readonly #actions: Float32Array;
  readonly #rewards: Float32Array;
  readonly #nextObservations: Float32Array;
  readonly #ends: Uint8Array;

  constructor(capacity: number, observationSize: number, actionSize: number) {
    this.capacity = capacity;
    this.observationSize = observationSize;
    this.actionSize = actionSize;
    this.#observations = new Float32Array(capacity * observationSize);
    this.#actions = new Float32Array(capacity * actionSize);
    this.#rewards = new Float32Array(capacity);
    this.#nextObservations = new Float32Array(capacity * observationSize);
    this.#ends = new Uint8Array(capacity);
  }

  /** A memory that holds just these. */
  static of(data: Transitions): TransitionMemory {
    const memory = new TransitionMemory(data.count, data.observationSize, data.actionSize);
    memory.#observations.set(data.observations);
    memory.#actions.set(data.actions);
    memory.#rewards.set(data.rewards);
    memory.#nextObservations.set(data.nextObservations);
    for (let row = 0; row < data.count; row++) {
      memory.#ends[row] = (data.terminals[row] ? TERMINAL : 0) | (data.timeouts[row] ? TIMEOUT : 0);
    }
    memory.added = data.count;
    return memory;
  }

  get rows(): number {
    return Math.min(this.added, this.capacity);
  }

  add(s: Float32Array, a: Float32Array, { reward, observation, terminated, truncated }: Outcome): void {
    const row = this.added % this.capacity;
    this.#observations.set(s, row * this.observationSize);
    this.#actions.set(a, row * this.actionSize);
    this.#rewards[row] = reward;
    this.#nextObservations.set(observation, row * this.observationSize);
    this.#ends[row] = (terminated ? TERMINAL : 0) | (truncated ? TIMEOUT : 0);
    this.added += 1;
  }

  /** Fills a batch with rows drawn with replacement, as the networks see them. A time-out is no end: its future counts. */
  sample(view: View, random: { index(n: number): number }, batch: BatchMemory): void {
    const { rows } = this;
    const width = this.observationSize;
    const actions = this.actionSize;
    for (let at = 0; at < batch.rows; at++) {
      const row = random.index(rows);
      view.see(this.#observations, row * width, batch.s, at * view.size);
      view.see(this.#nextObservations, row * width, batch.sNext, at * view.size);
      for (let i = 0; i < actions; i++) batch.a[at * actions + i] = this.#actions[row * actions + i] as number;
      if (!batch.r || !batch.done) continue;
      batch.r[at] = ((this.#rewards[row] as number) - view.reward.offset) * view.reward.scale;
      batch.done[at] = (this.#ends[row] as number) & TERMINAL;
    }
  }

  /** The rows, oldest first. */
  transitions(provenance: Transitions['provenance']): Transitions {
    const first = this.added <= this.capacity ? 0 : this.added % this.capacity;
    const ends = Uint8Array.from(inOrder(this.#ends, first, this.rows, 1));
    const terminals = ends.map((bits) => bits & TERMINAL);
    const timeouts = ends.map((bits) => (bits & TIMEOUT ? 1 : 0));
    if (this.rows > 0 && !terminals[this.rows - 1]) timeouts[this.rows - 1] = 1;
    return {
      count: this.rows,
      observationSize: this.observationSize,
      actionSize: this.actionSize,
      observations: inOrder(this.#observations, first, this.rows, this.observationSize),
      actions: inOrder(this.#actions, first, this.rows, this.actionSize),
      rewards: inOrder(this.#rewards, first, this.rows, 1),
      nextObservations: inOrder(this.#nextObservations, first, this.rows, this.observationSize),
      terminals,
      timeouts,
      provenance,
    };
  }

  /** Views of what is in use. */
  remember(): RingMemory {
    const { rows, observationSize, actionSize } = this;
    return {
      observations: this.#observations.subarray(0, rows * observationSize),
      actions: this.#actions.subarray(0, rows * actionSize),
      rewards: this.#rewards.subarray(0, rows),
      nextObservations: this.#nextObservations.subarray(0, rows * observationSize),
      ends: this.#ends.subarray(0, rows),
    };
  }

  /** @throws RangeError for more rows than fit */
  recall(memory: RingMemory, added: number): void {
    this.#observations.set(memory.observations);
    this.#actions.set(memory.actions);
    this.#rewards.set(memory.rewards);
    this.#nextObservations.set(memory.nextObservations);
    this.#ends.set(memory.ends);
    this.added = added;
  }
}

interface Outcome {
  readonly reward: number;
  readonly observation: Float32Array;
  readonly terminated: boolean;
  readonly truncated: boolean;
}

/** Rows from `first` on, and behind them those before it. */
function inOrder<T extends Float32Array | Uint8Array>(values: T, first: number, rows: number, width: number): T {
  const ordered = values.slice(0, rows * width) as T;
  ordered.set(values.subarray(first * width, rows * width), 0);
  ordered.set(values.subarray(0, first * width), (rows - first) * width);
  return ordered;
}
