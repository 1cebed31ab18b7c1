import type { ControllerKind } from '../messages/row.ts';
import { limitBit } from '../messages/states.ts';
import type { Robot } from '../robot/robot.ts';
import type { TorqueRequest } from './guard.ts';

export interface BlendInput {
  readonly request: TorqueRequest;
  /** who asks; another one than before begins a blend */
  readonly controller: ControllerKind;
  readonly policyHash: bigint;
  /** torque of the command before, left and right [N·m] */
  readonly previous: readonly [number, number];
  /** only a running robot is blended */
  readonly running: boolean;
  /** since the frame before [s] */
  readonly dt: number;
}

export interface Blended {
  readonly request: TorqueRequest;
  /** see `LIMITS` */
  readonly limits: number;
}

/**
 * The largest step that is faded, as a share of the torque scale. A larger one is no bump but a rescue, from a controller
 * that went wild to one that did not: what is beyond this share is taken at once, within the slew limit.
 */
export const MOST_FADED = 0.5;

/**
 * Bumpless change of controller: the step between what was sent last and what the new controller asks for is added to its
 * requests and fades out in `timing.blend`. The new controller has all of its feedback from its first frame on, which a
 * cross-fade would take from it, and a balancing robot has no time for that.
 *
 * It comes before the guard, which has the last word on torque and slew, and acts on a running robot only: a stop knows
 * nothing of it.
 */
export class Blend {
  readonly #robot: Robot;
  #controller: ControllerKind = 'none';
  #policyHash = 0n;
  #total = 0;
  #steering = 0;
  /** what is left of the blend, 1 to 0 */
  #share = 0;

  constructor(robot: Robot) {
    this.#robot = robot;
  }

  /** All that it remembers, as plain data. */
  remember() {
    return {
      controller: this.#controller,
      policyHash: this.#policyHash,
      total: this.#total,
      steering: this.#steering,
      share: this.#share,
    };
  }

  recall(memory: ReturnType<Blend['remember']>): void {
    this.#controller = memory.controller;
    this.#policyHash = memory.policyHash;
    this.#total = memory.total;
    this.#steering = memory.steering;
    this.#share = memory.share;
  }

  apply({ request, controller, policyHash, previous, running, dt }: BlendInput): Blended {
    if (!running) {
      this.#controller = 'none';
      this.#share = 0;
      return { request, limits: 0 };
    }
    const { blend } = this.#robot.timing;
    const { total, steering } = request;
    // What is no number has no step; the guard makes nothing of it, and the next request begins the blend.
    if (!Number.isFinite(total) || !Number.isFinite(steering)) return { request, limits: 0 };
    const changed = controller !== this.#controller || policyHash !== this.#policyHash;
    // A robot that begins to run has nothing to fade from, and may lean already: it needs its torque at once.
    const begins = this.#controller === 'none';
    if (changed) this.#begin(request, previous, blend > 0 && !begins);
    else this.#share = Math.max(0, this.#share - (dt > 0 ? dt / blend : 0));
    this.#controller = controller;
    this.#policyHash = policyHash;
    if (!(this.#share > 0)) return { request, limits: 0 };
    return {
      // The legs have a speed of their own; see `guardLegs`.
      request: {
        ...request,
        total: total + this.#share * this.#total,
        steering: steering + this.#share * this.#steering,
      },
      limits: limitBit('blend'),
    };
  }

  #begin({ total, steering }: TorqueRequest, [left, right]: readonly [number, number], blends: boolean): void {
    const { torqueScale } = this.#robot.policy;
    const most = MOST_FADED * torqueScale;
    const sent = Number.isFinite(left) && Number.isFinite(right);
    // What the wheels cannot give anyway is no part of the step.
    this.#total = sent ? clamp(left + right - clamp(total, torqueScale), most) : 0;
    this.#steering = sent ? clamp((left - right) / 2 - clamp(steering, torqueScale), most) : 0;
    this.#share = blends && (this.#total !== 0 || this.#steering !== 0) ? 1 : 0;
  }
}

const clamp = (value: number, limit: number) => Math.min(Math.max(value, -limit), limit);
