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
 * set-point follows at its speed. And the axle of each leg stays under the body, within `axleShift`.
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

  const least = [motion.hipLeast, motion.kneeLeast, motion.hipLeast, motion.kneeLeast] as const;
  const most = [motion.hipMost, motion.kneeMost, motion.hipMost, motion.kneeMost] as const;
  // The command before was in range by construction; a caller that says otherwise does not widen the range.
  const before = (joint: 0 | 1 | 2 | 3): number =>
    clamp(finiteOr(previous?.[joint], stance[joint]), least[joint], most[joint]);
  const from: LegVector = [before(0), before(1), before(2), before(3)];
  const guardOne = (joint: 0 | 1 | 2 | 3): number => {
    const wanted = asked?.[joint];
    let goal = wanted ?? stance[joint];
    if (wanted !== undefined) {
      const allowed = clamp(goal, least[joint], most[joint]);
      if (allowed !== goal) limits |= limitBit('leg-position');
      goal = allowed;
      const at = measured?.[joint] ?? Number.NaN;
      const lead = robot.legs.torqueLimit / robot.legs.stiffness;
      // A joint that says no number of itself holds its set-point back where it is.
      const held = at >= Number.NEGATIVE_INFINITY ? clamp(goal, at - lead, at + lead) : stance[joint];
      if (held !== goal) limits |= limitBit('leg-torque');
      goal = held;
    }
    const step = motion.speed * dt;
    const reached = clamp(goal, from[joint] - step, from[joint] + step);
    if (reached !== goal && wanted !== undefined) limits |= limitBit('leg-speed');
    return clamp(reached, least[joint], most[joint]);
  };
  const reached: [number, number, number, number] = [guardOne(0), guardOne(1), guardOne(2), guardOne(3)];
  for (const hip of [0, 2] as const) {
    if (asked?.[hip] === undefined && asked?.[hip === 0 ? 1 : 3] === undefined) continue;
    if (keepUnderBody(reached, from, hip, motion, stance)) limits |= limitBit('leg-balance');
  }
  return { position: reached, limits };
}

type Motion = NonNullable<Robot['legs']['motion']>;

/** How far the axle is behind the hip, the body upright [m]. */
const axleBehind = ({ thigh, shank }: Motion, hip: number, knee: number): number =>
  thigh * Math.sin(hip) + shank * Math.sin(hip + knee);

/**
 * Shortens the step of one leg so that its axle stays under the body: each joint may be within its range and the robot still
 * have nothing to stand on. From beyond, every step back is allowed.
 * @param reached changed in place
 * @returns whether it was
 */
function keepUnderBody(
  reached: [number, number, number, number],
  previous: LegVector,
  hip: 0 | 2,
  motion: Motion,
  stance: LegVector,
): boolean {
  const knee = hip === 0 ? 1 : 3;
  const middle = axleBehind(motion, stance[hip], stance[knee]);
  const shift = (share: number): number => {
    const at = previous[hip] + share * (reached[hip] - previous[hip]);
    return Math.abs(axleBehind(motion, at, previous[knee] + share * (reached[knee] - previous[knee])) - middle);
  };
  const most = Math.max(motion.axleShift, shift(0));
  if (!(shift(1) > most)) return false;
  let [low, high] = [0, 1];
  for (let halving = 0; halving < 12; halving++) {
    const half = (low + high) / 2;
    if (shift(half) <= most) low = half;
    else high = half;
  }
  reached[hip] = previous[hip] + low * (reached[hip] - previous[hip]);
  reached[knee] = previous[knee] + low * (reached[knee] - previous[knee]);
  return true;
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
