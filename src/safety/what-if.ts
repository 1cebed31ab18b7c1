import type { ArmedMode } from '../messages/mode.ts';
import type { RobotState } from '../messages/states.ts';
import type { RequestedState } from '../protocol/messages.gen.ts';
import type { Robot } from '../robot/robot.ts';
import { robotForTask } from '../robot/task-limits.ts';
import { factsWhen, GOOD_FACTS } from './examples.ts';
import type { ConditionId } from './failsafe-table.ts';
import { REQUESTED_STATE } from './guard.ts';
import { enterMode, INITIAL_SAFETY_STATE, inFallback, reasons, superviseFrame } from './supervisor.ts';

/** What the robot does from one frame on. */
export interface WhatIfStep {
  /** sensor frames since the conditions began to hold, from 1 */
  readonly frame: number;
  /** [s] */
  readonly at: number;
  readonly state: RobotState;
  /** who asks for torque */
  readonly controller: 'its own' | 'balancer, at zero velocity' | 'nobody';
  /** what the motor controller is asked for */
  readonly command: RequestedState;
  readonly reasons: readonly string[];
}

export interface WhatIfOptions {
  readonly robot: Robot;
  readonly mode: ArmedMode;
  readonly conditions: readonly ConditionId[];
  /** frames for which they hold; they hold on if it is not given */
  readonly frames?: number | undefined;
}

/** Longest debounce, and what comes after it, fit into this [s]. */
const LONGEST = 10;
/** Nothing has changed for so long: it is at rest [s]. */
const AT_REST = 2;

/**
 * Runs the supervisor that runs on the robot through what would happen if these conditions began to hold.
 * @returns every frame on which something changes, until the robot is at rest
 */
export function whatIf({
  robot: general,
  mode,
  conditions,
  frames = Number.POSITIVE_INFINITY,
}: WhatIfOptions): WhatIfStep[] {
  const robot = robotForTask(general, mode.task);
  const { rate } = robot.policy;
  const bad = factsWhen(conditions, robot);
  const good = factsWhen([], robot);
  let state = enterMode({ ...INITIAL_SAFETY_STATE, examined: true }, mode);
  const steps: WhatIfStep[] = [];
  let shown = '';
  let changedAt = 0;
  for (let frame = 1; frame <= LONGEST * rate; frame++) {
    const mcuTimeUs = GOOD_FACTS.mcuTimeUs + (frame * 1e6) / rate;
    state = superviseFrame(state, { ...(frame <= frames ? bad : good), mcuTimeUs }, robot);
    const { robotState } = state;
    const controller =
      robotState !== 'running' ? 'nobody' : inFallback(state) ? 'balancer, at zero velocity' : 'its own';
    const active = reasons(state.active);
    const now = [robotState, controller, ...active].join();
    if (now !== shown) {
      shown = now;
      changedAt = frame;
      const command = REQUESTED_STATE[robotState];
      steps.push({ frame, at: frame / rate, state: robotState, controller, command, reasons: active });
    }
    // Only braking ends by itself, and what is to hold for a while must have ended.
    const settled = frame - changedAt > AT_REST * rate && robotState !== 'braking';
    if (settled && (frames === Number.POSITIVE_INFINITY || frame > frames)) break;
  }
  return steps;
}
