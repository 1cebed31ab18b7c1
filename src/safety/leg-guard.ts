import { limitBit } from '../messages/states.ts';
import type { LegRequest } from '../policy/joint-action.ts';
import type { LegVector } from '../robot/joints.ts';
import type { Robot } from '../robot/robot.ts';

export interface LegGuardInput {
  /** what a policy asks for, if one asks; any number may be in it */
  readonly request: LegRequest | undefined;
  /** set-points of the command before, none after a rest: then the legs are held in stance */
  readonly previous: LegVector | undefined;
  /** where the joints are; none if nobody measures [rad] */
  readonly measured: LegVector | undefined;
  /** plausible time since the command before [s] */
  readonly dt: number;
}

export interface GuardedLegs {
  readonly position: LegVector;
  /** limits that acted, see `LIMITS` */
  readonly limits: number;
}

/**
 * Set-points of the legs: whatever is asked for, each is within `legs.motion` and moves no faster than its speed. One that a
 * policy asks for stays so near to where the joint is that the servo asks for no more than `legs.torqueLimit`: a foot that is
 * held fast is not pressed harder and harder. Where that and the speed disagree, because something pushes the leg away, the
 * set-point follows at its speed.
 *
 * Nothing asked for, or nothing that can be judged: back to the stance, at the same speed.
 */
export function guardLegs({ request, previous, measured, dt }: LegGuardInput, robot: Robot): GuardedLegs {
  const stance = stanceOf(robot);
  const { motion } = robot.legs;
  // Who may not move the legs gets the stance at once, as it has always been.
  if (!motion) return { position: stance, limits: request?.some(isAskedFor) ? limitBit('leg-position') : 0 };
  let limits = 0;
  const unsound = request?.some((value) => value !== undefined && !Number.isFinite(value)) ?? false;
  if (unsound) limits |= limitBit('non-finite');
  const blind = request !== undefined && measured === undefined;
  if (blind) limits |= limitBit('leg-position');
  const asked = unsound || blind ? undefined : request;

  const guardOne = (joint: 0 | 1 | 2 | 3): number => {
    const hip = joint % 2 === 0;
    const least = hip ? motion.hipLeast : motion.kneeLeast;
    const most = hip ? motion.hipMost : motion.kneeMost;
    const wanted = asked?.[joint];
    let goal = wanted ?? stance[joint];
    if (wanted !== undefined) {
      const allowed = clamp(goal, least, most);
      if (allowed !== goal) limits |= limitBit('leg-position');
      goal = allowed;
      const at = measured?.[joint] ?? Number.NaN;
      const lead = robot.legs.torqueLimit / robot.legs.stiffness;
      // A joint that says no number of itself holds its set-point back where it is.
      const held = at >= Number.NEGATIVE_INFINITY ? clamp(goal, at - lead, at + lead) : stance[joint];
      if (held !== goal) limits |= limitBit('leg-torque');
      goal = held;
    }
    const before = finiteOr(previous?.[joint], stance[joint]);
    const step = motion.speed * dt;
    const reached = clamp(goal, before - step, before + step);
    if (reached !== goal && wanted !== undefined) limits |= limitBit('leg-speed');
    // The command before was in range by construction; a caller that says otherwise does not widen the range.
    return clamp(reached, least, most);
  };
  return { position: [guardOne(0), guardOne(1), guardOne(2), guardOne(3)], limits };
}

/** The pose in which the robot stands. */
export const stanceOf = ({ legs: { hipStance, kneeStance } }: Robot): LegVector => [
  hipStance,
  kneeStance,
  hipStance,
  kneeStance,
];

const isAskedFor = (value: number | undefined): boolean => value !== undefined;
const clamp = (value: number, low: number, high: number) => Math.min(Math.max(value, low), high);
const finiteOr = (value: number | undefined, otherwise: number) =>
  value !== undefined && Number.isFinite(value) ? value : otherwise;
