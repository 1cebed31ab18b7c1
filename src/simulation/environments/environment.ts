import { createHash } from 'node:crypto';
import type { Tally } from './tally.ts';

/** What one decision led to. The same object every time: read it before the next `step`. */
export interface Step {
  /** s′, in the environment's one buffer, which the next `step`, `resume` or `reset` overwrites: copy what is to stay */
  readonly observation: Float32Array;
  /** mean over the frames of the decision */
  readonly reward: number;
  /** the task is over (a fall); nothing follows but `reset` */
  readonly terminated: boolean;
  /** an episode boundary by time-out: the world goes on, after `resume` */
  readonly truncated: boolean;
  /** control periods that the decision took; fewer than usual where it ended in a fall */
  readonly frames: number;
}

export interface ResetOptions {
  /** `spread`: a random state as in training; `rest`: where an evaluation begins. Default `spread` */
  readonly start?: 'spread' | 'rest';
}

/** Smallest and largest value of each number. */
export interface Bounds {
  readonly low: Float32Array;
  readonly high: Float32Array;
}

/**
 * A world to learn in. Synchronous; any number of them in one process, in any order of calls: what an instance does depends on its own
 * calls and seeds alone, bit by bit.
 */
export interface Environment {
  /** for people, and for a bundle's training data */
  readonly name: string;
  readonly observationSize: number;
  readonly actionSize: number;
  /** one for each number of an observation */
  readonly observationNames: readonly string[];
  readonly observationBounds: Bounds;
  /** actions beyond are cut off */
  readonly actionBounds: Bounds;
  /** decisions until a time-out */
  readonly episodeSteps: number;
  /** [s] of one decision */
  readonly stepSeconds: number;
  /** something that stays up or falls: how long it does, and all but the return of the tally, mean something */
  readonly balances: boolean;
  /** the action that really acted in the last step, cut to bounds and by the robot's own limits; noise of a gap not included */
  readonly applied: Float32Array;
  /** what happened since `reset`, by ground truth */
  readonly tally: Tally;
  /**
   * A new episode. Ranges of gaps are drawn, all noise begins anew.
   * @param seed any integer; the same one gives the same bits
   * @returns the first observation
   */
  reset(seed: number, options?: ResetOptions): Float32Array;
  /**
   * One decision.
   * @param action `actionSize` numbers
   * @throws TypeError for an action that is not finite or of another size, and after a fall: the caller's mistakes
   */
  step(action: Float32Array): Step;
  /** Goes on where the world is, after a time-out: the next episode, as on a robot that is not lifted anew. @returns its first observation */
  resume(): Float32Array;
  /** sha256 of all that the future depends on, save the random streams */
  digest(): string;
  /** Frees the wasm memory. */
  delete(): void;
}

/** @throws TypeError */
export function checkAction(action: Float32Array, size: number): void {
  let sum = 0;
  for (let i = 0; i < action.length; i++) sum += action[i] ?? 0;
  if (action.length === size && Number.isFinite(sum)) return;
  throw new TypeError(`an action is ${size} finite numbers, not [${action.join(', ')}]`);
}

export function unbounded(size: number): Bounds {
  return {
    low: new Float32Array(size).fill(Number.NEGATIVE_INFINITY),
    high: new Float32Array(size).fill(Number.POSITIVE_INFINITY),
  };
}

/** From -1 to 1 each. */
export function unit(size: number): Bounds {
  return { low: new Float32Array(size).fill(-1), high: new Float32Array(size).fill(1) };
}

export function digestOf(...parts: readonly Float64Array[]): string {
  const hash = createHash('sha256');
  for (const { buffer, byteOffset, byteLength } of parts) hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  return hash.digest('hex');
}
