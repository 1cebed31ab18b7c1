import { type JointName, jointNames } from '../robot/joints.ts';
import type { Quaternion } from '../robot/kinematics.ts';
import type { TaskState } from '../robot/tasks/task.ts';
import { type ObservationName, type ObservationSpec, type ObservationTerm, termWidth } from './manifest-terms.ts';

/** What the robot's sensors say of its body at one decision; see `termWidths` for axes and units. */
export interface BodyReadings {
  /** unit quaternion, body to world */
  readonly attitude: Quaternion;
  /** [rad/s] in the body's axes */
  readonly angularVelocity: readonly [number, number, number];
  /** in the order of `jointNames`; NaN where nobody measures [rad] */
  readonly jointPosition: readonly number[];
  /** [rad/s] */
  readonly jointVelocity: readonly number[];
}

/** Everything that an observation may be made of; see `termWidths` for units. */
export interface ObservationInput extends TaskState {
  readonly targetVelocity: number;
  readonly previousAction: number;
  /** without it, the terms that need it are NaN */
  readonly body?: BodyReadings | undefined;
  /** latest answer of the policy for each joint, in the order of `jointNames`; without it NaN */
  readonly previousActions?: ArrayLike<number> | undefined;
}

const nothingSensed: BodyReadings = {
  attitude: { w: Number.NaN, x: Number.NaN, y: Number.NaN, z: Number.NaN },
  angularVelocity: [Number.NaN, Number.NaN, Number.NaN],
  jointPosition: [],
  jointVelocity: [],
};

/** Where each term's first number stands in the observer's scratch space. */
const slots = {
  x: 0,
  v: 1,
  pitch: 2,
  pitchRate: 3,
  targetVelocity: 4,
  previousAction: 5,
  projectedGravity: 6,
  angularVelocity: 9,
  linearVelocity: 12,
  attitude: 15,
  velocityCommand: 19,
  jointPosition: 22,
  jointVelocity: 28,
} as const satisfies Record<ObservationName, number>;
const previousActionsSlot = 34;
const slotCount = 40;

/** One number of the vector. */
interface Element {
  readonly slot: number;
  readonly scale: number;
  readonly offset: number;
  readonly low: number;
  readonly high: number;
  readonly least: number;
  readonly most: number;
}

/** Numbers that have their history together: oldest first, `elements.length` numbers each time. */
interface Block {
  readonly start: number;
  readonly end: number;
  readonly elements: readonly Element[];
}

/** Builds the policy's vector from what the robot senses by the terms of a manifest. Allocates nothing per call. */
export class Observer {
  /** the latest observations, oldest first; the same array every time */
  readonly #vector: Float32Array;
  readonly #raw = new Float64Array(slotCount);
  readonly #blocks: readonly Block[];
  #outOfRange = false;
  #empty = true;

  constructor(spec: ObservationSpec) {
    this.#blocks = blocksOf(spec);
    this.#vector = new Float32Array(this.#blocks.at(-1)?.end ?? 0);
  }

  /** A raw value of the latest observation was outside its term's `range`; one that is not a number is. */
  get outOfRange(): boolean {
    return this.#outOfRange;
  }

  /** All that it remembers, as plain data; no vector before the first observation. */
  remember(): { readonly vector: readonly number[]; readonly outOfRange: boolean } {
    return { vector: this.#empty ? [] : [...this.#vector], outOfRange: this.#outOfRange };
  }

  recall({ vector, outOfRange }: ReturnType<Observer['remember']>): void {
    this.#empty = vector.length === 0;
    this.#vector.set(vector);
    this.#outOfRange = outOfRange;
  }

  /** Forgets the history; the next observation fills all of it. */
  reset(): void {
    this.#empty = true;
  }

  /**
   * Adds the observation of one decision.
   * @returns the vector, oldest first; overwritten by the next call
   */
  observe(input: ObservationInput): Float32Array {
    this.#fill(input);
    const raw = this.#raw;
    const vector = this.#vector;
    this.#outOfRange = false;
    for (const { start, end, elements } of this.#blocks) {
      const width = elements.length;
      const newest = end - width;
      vector.copyWithin(start, start + width, end);
      let at = newest;
      for (const { slot, scale, offset, low, high, least, most } of elements) {
        // NaN passes: the guard refuses what comes of it, a clip must not make a number of it.
        const unscaled = raw[slot] ?? Number.NaN;
        if (!(unscaled >= least && unscaled <= most)) this.#outOfRange = true;
        const value = (unscaled - offset) * scale;
        vector[at++] = Math.min(high, Math.max(low, value));
      }
      if (this.#empty) for (let past = start; past < newest; past += width) vector.copyWithin(past, newest, end);
    }
    this.#empty = false;
    return vector;
  }

  #fill(state: ObservationInput): void {
    const { body, previousActions } = state;
    const raw = this.#raw;
    raw[slots.x] = state.x;
    raw[slots.v] = state.v;
    raw[slots.pitch] = state.pitch;
    raw[slots.pitchRate] = state.pitchRate;
    raw[slots.targetVelocity] = state.targetVelocity;
    raw[slots.previousAction] = state.previousAction;
    raw[slots.velocityCommand] = state.targetVelocity;
    raw[slots.velocityCommand + 1] = 0;
    raw[slots.velocityCommand + 2] = 0;
    raw[slots.linearVelocity] = state.v * Math.cos(state.pitch);
    raw[slots.linearVelocity + 1] = 0;
    raw[slots.linearVelocity + 2] = state.v * Math.sin(state.pitch);
    this.#fillBody(body ?? nothingSensed);
    for (let joint = 0; joint < jointNames.length; joint++) {
      raw[previousActionsSlot + joint] = previousActions?.[joint] ?? Number.NaN;
    }
  }

  #fillBody({ attitude: { w, x, y, z }, angularVelocity, jointPosition, jointVelocity }: BodyReadings): void {
    const raw = this.#raw;
    // The world's up axis in the body, turned round; see `upInBody`.
    raw[slots.projectedGravity] = -2 * (x * z - w * y);
    raw[slots.projectedGravity + 1] = -2 * (y * z + w * x);
    raw[slots.projectedGravity + 2] = 2 * (x * x + y * y) - 1;
    for (let axis = 0; axis < 3; axis++) raw[slots.angularVelocity + axis] = angularVelocity[axis] ?? Number.NaN;
    // A quaternion and its negative are the same attitude; policies are trained on the one with w ≥ 0.
    const sign = w < 0 ? -1 : 1;
    raw[slots.attitude] = sign * w;
    raw[slots.attitude + 1] = sign * x;
    raw[slots.attitude + 2] = sign * y;
    raw[slots.attitude + 3] = sign * z;
    for (let joint = 0; joint < jointNames.length; joint++) {
      raw[slots.jointPosition + joint] = jointPosition[joint] ?? Number.NaN;
      raw[slots.jointVelocity + joint] = jointVelocity[joint] ?? Number.NaN;
    }
  }
}

function blocksOf({ terms, history }: ObservationSpec): Block[] {
  const groups =
    history > 1
      ? [{ elements: terms.flatMap(elementsOf), history }]
      : terms.map((term) => ({ elements: elementsOf(term), history: term.history ?? 1 }));
  let end = 0;
  return groups.map(({ elements, history: times }) => {
    const start = end;
    end += elements.length * times;
    return { start, end, elements };
  });
}

/** Least and greatest value of each number of the vector, by its clip. */
export function clipsOf(spec: ObservationSpec): (readonly [number, number])[] {
  return blocksOf(spec).flatMap(({ start, end, elements }) =>
    Array.from({ length: (end - start) / elements.length }, () =>
      elements.map(({ low, high }) => [low, high] as const),
    ).flat(),
  );
}

function elementsOf(term: ObservationTerm): Element[] {
  const { name, joints, scale, offset, clip, range } = term;
  const first = name === 'previousAction' && joints ? previousActionsSlot : slots[name];
  return Array.from({ length: termWidth(term) }, (_, at) => {
    const joint: JointName | undefined = joints?.[at];
    const [low, high] = pairAt(clip, at) ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
    const [least, most] = pairAt(range, at) ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
    return {
      slot: first + (joint === undefined ? at : jointNames.indexOf(joint)),
      scale: numberAt(scale, at, 1),
      offset: numberAt(offset, at, 0),
      low,
      high,
      least,
      most,
    };
  });
}

type Pair = readonly [number, number];

const numberAt = (value: number | readonly number[], at: number, otherwise: number): number =>
  typeof value === 'number' ? value : (value[at] ?? otherwise);

function pairAt(value: Pair | readonly Pair[] | null | undefined, at: number): Pair | undefined {
  if (!value) return undefined;
  const [first] = value;
  return typeof first === 'number' ? (value as Pair) : (value as readonly Pair[])[at];
}
