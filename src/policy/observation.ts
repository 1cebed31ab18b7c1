import type { TaskState } from '../robot/tasks/task.ts';
import type { ObservationName, ObservationSpec } from './manifest.ts';

/** Everything that an observation may be made of; see `observationNames` for units. */
export interface ObservationInput extends TaskState {
  readonly targetVelocity: number;
  readonly previousAction: number;
}

/** Index of each raw value in the observer's scratch space. */
const slots: readonly ObservationName[] = ['x', 'v', 'pitch', 'pitchRate', 'targetVelocity', 'previousAction'];

/** Builds the policy's vector from the task's state by the terms of a manifest. Allocates nothing per call. */
export class Observer {
  /** the latest observations, oldest first; the same array every time */
  readonly #vector: Float32Array;
  readonly #raw = new Float64Array(slots.length);
  readonly #terms: readonly {
    readonly slot: number;
    readonly scale: number;
    readonly offset: number;
    readonly low: number;
    readonly high: number;
    readonly least: number;
    readonly most: number;
  }[];
  #outOfRange = false;
  #empty = true;

  constructor({ terms, history }: ObservationSpec) {
    this.#vector = new Float32Array(terms.length * history);
    this.#terms = terms.map(({ name, scale, offset, clip, range }) => ({
      slot: slots.indexOf(name),
      scale,
      offset,
      low: clip?.[0] ?? Number.NEGATIVE_INFINITY,
      high: clip?.[1] ?? Number.POSITIVE_INFINITY,
      least: range?.[0] ?? Number.NEGATIVE_INFINITY,
      most: range?.[1] ?? Number.POSITIVE_INFINITY,
    }));
  }

  /** A raw value of the latest observation was outside its term's `range`; one that is not a number is. */
  get outOfRange(): boolean {
    return this.#outOfRange;
  }

  /** Forgets the history; the next observation fills all of it. */
  reset(): void {
    this.#empty = true;
  }

  /**
   * Adds the observation of one decision.
   * @returns terms × history values, oldest first; overwritten by the next call
   */
  observe(input: ObservationInput): Float32Array {
    const raw = this.#raw;
    raw[0] = input.x;
    raw[1] = input.v;
    raw[2] = input.pitch;
    raw[3] = input.pitchRate;
    raw[4] = input.targetVelocity;
    raw[5] = input.previousAction;

    const vector = this.#vector;
    const width = this.#terms.length;
    const newest = vector.length - width;
    vector.copyWithin(0, width);
    let at = newest;
    this.#outOfRange = false;
    for (const { slot, scale, offset, low, high, least, most } of this.#terms) {
      // NaN passes: the guard refuses what comes of it, a clip must not make a number of it.
      const unscaled = raw[slot] ?? Number.NaN;
      if (!(unscaled >= least && unscaled <= most)) this.#outOfRange = true;
      const value = (unscaled - offset) * scale;
      vector[at++] = Math.min(high, Math.max(low, value));
    }
    if (this.#empty) {
      this.#empty = false;
      for (let start = 0; start < newest; start += width) vector.copyWithin(start, newest);
    }
    return vector;
  }
}
