import type { RobotState } from '../messages/states.ts';
import { limitBit } from '../messages/states.ts';
import { shareTorque } from '../policy/heading.ts';
import type { LegRequest } from '../policy/joint-action.ts';
import type { Command } from '../protocol/messages.gen.ts';
import type { LegVector } from '../robot/joints.ts';
import type { Robot } from '../robot/robot.ts';
import { guardLegs, stanceOf } from './leg-guard.ts';

declare const safe: unique symbol;

/** A command that went through `guard`. Nothing else makes one, and the serial link writes nothing else. */
export type SafeCommand = Command & { readonly [safe]: true };

/** What a controller wants of the wheels [N·m]; any number at all may be in it. */
export interface TorqueRequest {
  /** total of both wheels */
  readonly total: number;
  /** added to the left wheel and taken from the right one; keeps the heading */
  readonly steering: number;
  /** set-points of the legs, where a policy moves them [rad] */
  readonly legs?: LegRequest | undefined;
}

export interface GuardInput {
  readonly robotState: RobotState;
  readonly request: TorqueRequest;
  /** torque of the command before, left and right [N·m] */
  readonly previous: readonly [number, number];
  /** leg set-points of the command before, if that one drove [rad] */
  readonly previousLegs?: LegVector | undefined;
  /** where the legs are, if they are measured [rad] */
  readonly measuredLegs?: LegVector | undefined;
  /** time since the command before [s]; what is not a plausible frame time is taken as none */
  readonly dt: number;
  /** the host's nonce, and the sequence of the frame that is answered */
  readonly session: number;
  readonly answers: number;
}

export interface Guarded {
  readonly command: SafeCommand;
  /** limits that acted, see `LIMITS` */
  readonly limits: number;
}

/** A longer pause than this gives the slew limit no more room [s]. */
const LONGEST_STEP = 0.02;

/**
 * The last word on every command: whatever comes in, what goes out is finite, within the torque limit of each wheel and
 * within the slew limit from the command before, and drives only while `running`. For the legs see `guardLegs`.
 */
export function guard(input: GuardInput, robot: Robot): Guarded {
  if (input.robotState !== 'running') {
    return { command: restCommand(input, robot), limits: limitBit('not-running') };
  }
  let limits = 0;
  const { total, steering } = input.request;
  const finite = Number.isFinite(total) && Number.isFinite(steering);
  if (!finite) limits |= limitBit('non-finite');
  // Where a wheel's limit is short, steering gives way to balancing; that is no limit on what the policy asked for.
  const wanted = finite ? shareTorque(robot, total, steering) : { left: 0, right: 0 };
  if (finite && Math.abs(total) / 2 > robot.limits.wheelTorque) limits |= limitBit('torque');

  const dt = input.dt > 0 ? Math.min(input.dt, LONGEST_STEP) : 0;
  const step = robot.limits.wheelTorqueSlew * dt;
  const torque = [wanted.left, wanted.right].map((goal, wheel) => {
    const before = finiteOr(input.previous[wheel], 0);
    const reachable = Math.min(Math.max(goal, before - step), before + step);
    if (reachable !== goal) limits |= limitBit('slew');
    // The command before was in range by construction; a caller that says otherwise does not widen the range.
    return clamp(reachable, robot.limits.wheelTorque);
  });
  const [left = 0, right = 0] = torque;
  const { previousLegs, measuredLegs, request } = input;
  const legs = guardLegs({ request: request.legs, previous: previousLegs, measured: measuredLegs, dt }, robot);
  return {
    command: brand({
      ...held(legs.position, robot),
      ...address(input, robot),
      requestedState: 'active',
      wheelTorque: [left, right],
    }),
    limits: limits | legs.limits,
  };
}

/** What the motor controller is asked for in each state of the robot. */
export const REQUESTED_STATE = {
  disarmed: 'idle',
  braking: 'braking',
  limp: 'limp',
  estopped: 'idle',
  running: 'active',
} as const;

function restCommand(input: GuardInput, robot: Robot): SafeCommand {
  return brand({
    ...held(stanceOf(robot), robot),
    ...address(input, robot),
    requestedState: REQUESTED_STATE[input.robotState],
    wheelTorque: [0, 0],
  });
}

const address = (input: GuardInput, robot: Robot) => ({
  kind: 'command' as const,
  session: input.session,
  answers: input.answers,
  timeToLive: robot.timing.commandTimeToLive * 1e3,
});

/** Legs are held by the MCU's own position control, in every state in which it holds them. */
function held(legPosition: LegVector, robot: Robot) {
  const { stiffness, damping } = robot.legs;
  return {
    legPosition,
    legVelocity: [0, 0, 0, 0],
    legTorque: [0, 0, 0, 0],
    legStiffness: [stiffness, stiffness, stiffness, stiffness],
    legDamping: [damping, damping, damping, damping],
  } as const;
}

// The only place where the brand is given.
const brand = (command: Command): SafeCommand => command as SafeCommand;

const clamp = (value: number, limit: number) => Math.min(Math.max(value, -limit), limit);
const finiteOr = (value: number | undefined, otherwise: number) =>
  value !== undefined && Number.isFinite(value) ? value : otherwise;
