import { DISARMED, type Mode } from '../messages/mode.ts';
import { ACTIONS, type Action, type RobotState } from '../messages/states.ts';
import type { Robot } from '../robot/robot.ts';
import { type Condition, recoveryOf } from './condition.ts';
import type { Facts } from './facts.ts';
import { activeConditions, type Clears, CONDITION_BITS, conditionBit, FAILSAFE_TABLE } from './failsafe-table.ts';

/** What the safety layer remembers from frame to frame. Immutable: every function returns a new one. */
export interface SafetyState {
  readonly robotState: RobotState;
  /** what the operator asked for; stays visible while the failsafe holds the robot back */
  readonly mode: Mode;
  /** active conditions, bit n = row n of the failsafe table */
  readonly active: bigint;
  /** frames in a row for which each condition has held; below 0: for which it has not */
  readonly held: readonly number[];
  /** a frame has been seen since this state was last changed by hand; before that the conditions are not known */
  readonly examined: boolean;
  /** MCU time at which braking began [µs]; meaningful in `braking` */
  readonly brakingSince: number;
}

/** Where every start begins. */
export const INITIAL_SAFETY_STATE: SafetyState = {
  robotState: 'disarmed',
  mode: DISARMED,
  active: 0n,
  held: FAILSAFE_TABLE.map(() => 0),
  examined: false,
  brakingSince: 0,
};

/** The highest action among the active conditions, or `undefined` if none is active. */
export function highestAction(active: bigint): Action | undefined {
  if (active === 0n) return undefined;
  let highest = -1;
  for (const condition of activeConditions(active)) highest = Math.max(highest, ACTIONS.indexOf(condition.action));
  return ACTIONS[highest];
}

/** Ids of the active conditions, in the table's order. */
export const reasons = (active: bigint): string[] => activeConditions(active).map((row) => row.id);

/** One sensor frame: update the conditions, then the robot's state. */
export function superviseFrame(state: SafetyState, facts: Facts, robot: Robot): SafetyState {
  const held: number[] = [];
  // Arithmetic on 64 bits allocates: it is left to the frames on which something is wrong.
  const anyBefore = state.active !== 0n;
  let active = 0n;
  for (const row of FAILSAFE_TABLE) {
    const index = held.length;
    const frames = counted(state.held[index] ?? 0, row.holds(facts, robot));
    held.push(frames);
    const trips = frames >= row.debounce;
    if (!trips && !anyBefore) continue;
    const bit = CONDITION_BITS[index] ?? 0n;
    if (trips || ((state.active & bit) !== 0n && outlives(row, frames, state.robotState))) active |= bit;
  }
  return advance({ ...state, held, active, examined: true }, facts, robot);
}

/** Whether a condition stays active although it no longer holds. What disarming clears has nothing to hold once disarmed. */
function outlives(row: Condition, frames: number, robotState: RobotState): boolean {
  if (row.clears === 'itself') return frames > -recoveryOf(row);
  return row.clears === 'reset' || robotState !== 'disarmed';
}

/** Frames in a row with a condition, or, below 0, without it. */
function counted(before: number, holds: boolean): number {
  if (holds) return Math.max(0, before) + 1;
  return Math.max(Math.min(0, before) - 1, -MOST_COUNTED);
}

function advance(state: SafetyState, facts: Facts, robot: Robot): SafetyState {
  const action = highestAction(state.active);
  if (action === 'estop') return { ...state, robotState: 'estopped' };

  switch (state.robotState) {
    case 'running':
      if (action === 'limp') return { ...state, robotState: 'limp' };
      if (action === 'brake') return { ...state, robotState: 'braking', brakingSince: facts.mcuTimeUs };
      return state;
    case 'braking': {
      const braked = facts.mcuTimeUs - state.brakingSince;
      // A clock that went backwards must not prolong braking.
      const over = braked < 0 || braked >= robot.timing.brakeTime * 1e6;
      return over || action === 'limp' ? { ...state, robotState: 'limp' } : state;
    }
    case 'disarmed':
    case 'limp':
    case 'estopped':
      return state;
  }
}

/** No recovery takes as many frames. */
const MOST_COUNTED = 100_000;

const ESTOP = conditionBit('estop');

/** A stop that anyone asked for: latched before anything else happens. */
export function estop(state: SafetyState): SafetyState {
  return { ...state, robotState: 'estopped', active: state.active | ESTOP };
}

/**
 * Disarming is stopping and so is always allowed; it does not undo an e-stop. Conditions that it clears come back with the
 * next frame if they still hold, and until then nothing can be armed.
 */
export function disarm(state: SafetyState): SafetyState {
  const active = keepUnclearedBy('disarm', state.active);
  if (state.robotState === 'estopped') return { ...state, mode: DISARMED, active };
  return { ...state, robotState: 'disarmed', mode: DISARMED, active, examined: false };
}

/** The only way out of `estopped`. The caller has checked who asks. Conditions that still hold come back next frame. */
export function reset(state: SafetyState): SafetyState {
  return { ...INITIAL_SAFETY_STATE, active: keepUnclearedBy('reset', state.active) };
}

/**
 * A new mode that the arming checks have passed, from `disarmed` or `running`. From any other state nothing happens:
 * motion starts only there.
 */
export function enterMode(state: SafetyState, mode: Mode): SafetyState {
  if (mode.task === 'disarmed') return disarm(state);
  if (state.robotState !== 'disarmed' && state.robotState !== 'running') return state;
  return { ...state, robotState: 'running', mode, active: keepUnclearedBy('new-mode', state.active) };
}

/** Fallback: still running, but the balancer is in charge, at zero velocity. */
export function inFallback(state: SafetyState): boolean {
  return state.robotState === 'running' && highestAction(state.active) === 'fallback';
}

const CLEARING: readonly Clears[] = ['itself', 'new-mode', 'disarm', 'reset'];

/** Mask without the conditions that the event clears. Those that clear by themselves are left to the next frame. */
function keepUnclearedBy(event: Clears, active: bigint): bigint {
  if (active === 0n) return 0n;
  const level = CLEARING.indexOf(event);
  let kept = 0n;
  FAILSAFE_TABLE.forEach((row, index) => {
    const clearedAt = CLEARING.indexOf(row.clears);
    if (row.clears === 'itself' || clearedAt > level) kept |= active & (CONDITION_BITS[index] ?? 0n);
  });
  return kept;
}
