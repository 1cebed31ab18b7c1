/** Anything that JSON holds. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * Where a dataset comes from, as plain data that goes along through every format. The keys that the program itself reads;
 * more may stand beside them.
 */
export interface Provenance {
  readonly [key: string]: Json;
}

/**
 * Transitions (s, a, r, s') in memory: flat arrays, row-major, row `i` of `observations` at `i * observationSize`.
 *
 * Consecutive rows belong to one episode, and then the bits of `nextObservations[i]` are those of `observations[i + 1]`,
 * unless row `i` is terminal or timed out: `terminals` is 1 where the next state is a fall, `timeouts` is 1 on the last row
 * before every other discontinuity (cut of an episode, gap in the recording, switch of mode or policy, end of the data).
 */
export interface Transitions {
  /** N */
  readonly count: number;
  /** S */
  readonly observationSize: number;
  /** A */
  readonly actionSize: number;
  /** [N, S], units of the task's state: x [m], v [m/s], pitch [rad], pitch rate [rad/s] */
  readonly observations: Float32Array;
  /** [N, A], what was applied, in the policy's units: [-1, 1] */
  readonly actions: Float32Array;
  /** [N] */
  readonly rewards: Float32Array;
  /** [N, S] */
  readonly nextObservations: Float32Array;
  /** [N], 0 or 1 */
  readonly terminals: Uint8Array;
  /** [N], 0 or 1 */
  readonly timeouts: Uint8Array;
  /** [N], bits of `MARKS`; absent where nobody knows them */
  readonly marks?: Uint32Array | undefined;
  readonly provenance: Provenance;
}

/** The sizes that all batches of a dataset share. */
export interface Shape {
  readonly observationSize: number;
  readonly actionSize: number;
  /** whether rows carry marks */
  readonly marked: boolean;
}

/** Room for `count` transitions, all zero. */
export function allocate(count: number, shape: Shape, provenance: Provenance = {}): Transitions {
  const { observationSize, actionSize, marked } = shape;
  return {
    count,
    observationSize,
    actionSize,
    observations: new Float32Array(count * observationSize),
    actions: new Float32Array(count * actionSize),
    rewards: new Float32Array(count),
    nextObservations: new Float32Array(count * observationSize),
    terminals: new Uint8Array(count),
    timeouts: new Uint8Array(count),
    ...(marked && { marks: new Uint32Array(count) }),
    provenance,
  };
}

/** Rows `start` up to `end`, as views. */
export function rowsOf(transitions: Transitions, start: number, end: number): Transitions {
  const { observationSize, actionSize, marks } = transitions;
  return {
    ...transitions,
    count: end - start,
    observations: transitions.observations.subarray(start * observationSize, end * observationSize),
    actions: transitions.actions.subarray(start * actionSize, end * actionSize),
    rewards: transitions.rewards.subarray(start, end),
    nextObservations: transitions.nextObservations.subarray(start * observationSize, end * observationSize),
    terminals: transitions.terminals.subarray(start, end),
    timeouts: transitions.timeouts.subarray(start, end),
    ...(marks && { marks: marks.subarray(start, end) }),
  };
}

/** Copies all rows of `from` into `to`, beginning at row `at`. */
export function copyInto(to: Transitions, at: number, from: Transitions): void {
  to.observations.set(from.observations, at * to.observationSize);
  to.actions.set(from.actions, at * to.actionSize);
  to.rewards.set(from.rewards, at);
  to.nextObservations.set(from.nextObservations, at * to.observationSize);
  to.terminals.set(from.terminals, at);
  to.timeouts.set(from.timeouts, at);
  if (from.marks) to.marks?.set(from.marks, at);
}

/** Whether an episode ends with row `row`. */
export const endsEpisode = ({ terminals, timeouts }: Transitions, row: number): boolean =>
  terminals[row] === 1 || timeouts[row] === 1;
