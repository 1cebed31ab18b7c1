import { jointNames, legJoints, wheelJoints } from '../robot/joints.ts';
import type { JointTerm } from './manifest-terms.ts';

/** Set-points of the legs in the order of `legJoints` [rad]; undefined: as the robot stands. */
export type LegRequest = readonly [number | undefined, number | undefined, number | undefined, number | undefined];

/** What a policy of joints asks for at one frame; any finite number may be in it, the guard has the last word. */
export interface JointRequest {
  /** total of both wheels [N·m] */
  readonly total: number;
  /** added to the left wheel and taken from the right one [N·m] */
  readonly steering: number;
  readonly legs: LegRequest;
}

interface Target {
  readonly scale: number;
  readonly offset: number;
  readonly low: number;
  readonly high: number;
  /** position in the policy's action */
  readonly from: number;
  /** of a velocity; undefined for what is taken as it is */
  readonly damping: number | undefined;
}

/**
 * The latest action of a policy of joints, and what it means for the drives. A decision is held over the frames until the
 * next one; the torque that a wheel's velocity takes is computed anew at each frame, as a drive would.
 */
export class JointAction {
  readonly #terms: readonly JointTerm[];
  readonly #legs: readonly (Target | undefined)[];
  readonly #wheels: readonly (Target | undefined)[];
  readonly #action: Float64Array;
  /** of each joint, in the order of `jointNames`; 0 for one that is not commanded */
  readonly #byJoint = new Float64Array(jointNames.length);
  #clipped = false;

  constructor(terms: readonly JointTerm[]) {
    this.#terms = terms;
    this.#action = new Float64Array(terms.length);
    const targetOf = (name: (typeof jointNames)[number]): Target | undefined => {
      const from = terms.findIndex((term) => term.name === name);
      const term = terms[from];
      if (!term) return undefined;
      const [low, high] = term.clip ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
      return { scale: term.scale, offset: term.offset, low, high, from, damping: term.damping };
    };
    this.#legs = legJoints.map(targetOf);
    this.#wheels = wheelJoints.map(targetOf);
  }

  /** The latest action of each joint, as the policy gave it; in the order of `jointNames`. */
  get previousActions(): Float64Array {
    return this.#byJoint;
  }

  /** A clip of the manifest acted on the latest action. */
  get clipped(): boolean {
    return this.#clipped;
  }

  /** The latest action, as plain data. */
  remember(): readonly number[] {
    return [...this.#action];
  }

  /** Nothing has been decided: every joint's action is 0. */
  reset(): void {
    this.#action.fill(0);
    this.#byJoint.fill(0);
    this.#clipped = false;
  }

  /**
   * Takes a decision, if every number of it is finite; else the one before stays.
   * @returns whether it was taken
   */
  decide(action: ArrayLike<number>): boolean {
    for (let at = 0; at < this.#terms.length; at++) if (!Number.isFinite(action[at])) return false;
    this.#clipped = false;
    for (const [at, { name, scale, offset, clip }] of this.#terms.entries()) {
      const value = action[at] ?? 0;
      this.#action[at] = value;
      this.#byJoint[jointNames.indexOf(name)] = value;
      const target = offset + scale * value;
      if (clip && (target < clip[0] || target > clip[1])) this.#clipped = true;
    }
    return true;
  }

  /** @param wheelVelocity of both wheels against their shanks [rad/s] */
  request(wheelVelocity: readonly [number, number]): JointRequest {
    const left = this.#torque(0, wheelVelocity[0]);
    const right = this.#torque(1, wheelVelocity[1]);
    return {
      total: left + right,
      steering: (left - right) / 2,
      legs: [this.#leg(0), this.#leg(1), this.#leg(2), this.#leg(3)],
    };
  }

  #torque(wheel: 0 | 1, velocity: number): number {
    const target = this.#wheels[wheel];
    if (!target) return 0;
    const value = this.#targetOf(target);
    return target.damping === undefined ? value : target.damping * (value - velocity);
  }

  #leg(joint: 0 | 1 | 2 | 3): number | undefined {
    const target = this.#legs[joint];
    return target && this.#targetOf(target);
  }

  #targetOf({ scale, offset, low, high, from }: Target): number {
    return Math.min(high, Math.max(low, offset + scale * (this.#action[from] ?? 0)));
  }
}
