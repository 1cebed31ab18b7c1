import { limitBit } from '../../messages/states.ts';
import type { Robot } from '../../robot/robot.ts';
import { guard } from '../../safety/guard.ts';

/** Limits that act because of what a policy asked for, and not because another one took over or noise was added. */
export const POLICY_LIMITS =
  limitBit('non-finite') |
  limitBit('policy-range') |
  limitBit('torque') |
  limitBit('slew') |
  limitBit('policy-late') |
  limitBit('leg-position') |
  limitBit('leg-speed') |
  limitBit('leg-torque') |
  limitBit('leg-balance');

/** A share of decisions is not called more than another until it is so by this much. */
export const MORE = 0.05;

/** What the guard would make of the actions of a policy that nobody obeys. Its commands go nowhere but into the next question. */
export class WouldBeGuarded {
  readonly #robot: Robot;
  readonly #dt: number;
  #previous: readonly [number, number] = [0, 0];

  /** @param dt of one frame [s] */
  constructor(robot: Robot, dt: number) {
    this.#robot = robot;
    this.#dt = dt;
  }

  /** It begins where the robot is. @param torque total of the latest command [N·m] */
  begin(torque: number): void {
    this.#previous = [torque / 2, torque / 2];
  }

  /**
   * @param action in units of `scale`
   * @returns whether a limit would act
   */
  isOutside(action: number, scale: number): boolean {
    const clipped = Math.min(1, Math.max(-1, action));
    const { command, limits } = guard(
      {
        robotState: 'running',
        request: { total: clipped * scale, steering: 0 },
        previous: this.#previous,
        dt: this.#dt,
        session: 0,
        answers: 0,
      },
      this.#robot,
    );
    this.#previous = command.wheelTorque;
    return clipped !== action || (limits & POLICY_LIMITS) !== 0;
  }
}
