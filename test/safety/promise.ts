import type { RobotState } from '../../src/messages/states.ts';
import { ACTIONS, type Action } from '../../src/messages/states.ts';
import type { McuState } from '../../src/protocol/messages.gen.ts';
import { FAILSAFE_TABLE } from '../../src/safety/failsafe-table.ts';
import type { Promised } from './faults.ts';
import type { Outcome } from './run-fault.ts';

/** Conditions that say how fast this machine is, and nothing of the fault. */
const OF_THE_MACHINE = ['overrun', 'policy-late'];

const actionOf = (id: string): Action => {
  const row = FAILSAFE_TABLE.find((condition) => condition.id === id);
  if (!row) throw new Error(`the failsafe table has no condition "${id}"`);
  return row.action;
};

/** The highest action among conditions, by the failsafe table; `undefined` for none. */
export function highestOf(conditions: readonly string[]): Action | undefined {
  return ACTIONS[Math.max(-1, ...conditions.map((id) => ACTIONS.indexOf(actionOf(id))))];
}

/** How a robot ends on which an action was taken, once it is at rest. */
export function endOf(action: Action | undefined): RobotState {
  switch (action) {
    case 'estop':
      return 'estopped';
    case 'limp':
    case 'brake':
      return 'limp';
    default:
      return 'running';
  }
}

/** In one phrase, for the report. */
export function describePromise(promised: Promised): string {
  if ('survives' in promised) return 'goes on';
  const ends = [...new Set(promised.by.map((id) => endOf(actionOf(id))))];
  return `${promised.by.join(' or ')} → ${ends.join(' or ')}`;
}

/** States of the motor controller that go with the robot's; a latch of its own outranks what control wants. */
const MCU_STATES: Record<RobotState | 'gone', readonly McuState[]> = {
  running: ['active'],
  braking: [],
  limp: ['limp', 'idle', 'faulted'],
  disarmed: ['idle'],
  estopped: ['estopped'],
  gone: ['limp', 'idle'],
};

/** What of a promise was broken, in words; empty: it was kept. */
export function brokenPromises(promised: Promised, outcome: Outcome): string[] {
  const broken = outcome.violations.map((violation) => `a command outside the limits: ${violation}`);
  const conditions = outcome.conditions.filter((id) => !OF_THE_MACHINE.includes(id));
  const highest = highestOf(conditions);
  const expected = endOf(highest);
  if (outcome.robotState !== 'gone' && outcome.robotState !== expected) {
    broken.push(
      `it is ${outcome.robotState}, and the table promises ${expected} for ${conditions.join(', ') || 'nothing'}`,
    );
  }
  const states: readonly string[] = MCU_STATES[outcome.robotState];
  if (!states.includes(outcome.mcuState))
    broken.push(`control is ${outcome.robotState}, the motor controller ${outcome.mcuState}`);
  if ('survives' in promised) {
    const allowed: readonly string[] = promised.mayShow ?? [];
    const unexpected = conditions.filter((id) => actionOf(id) !== 'warn' && !allowed.includes(id));
    if (unexpected.length > 0) broken.push(`it was to go on as it was, and shows ${unexpected.join(', ')}`);
    if (outcome.robotState !== 'running') broken.push(`it was to go on, and is ${outcome.robotState}`);
    if (outcome.falls > 0) broken.push('it fell');
    return broken;
  }
  if (!promised.by.some((id) => outcome.conditions.includes(id))) {
    broken.push(`none of ${promised.by.join(', ')} is named, but ${outcome.conditions.join(', ') || 'nothing'}`);
  }
  if (expected === 'running' && outcome.falls > 0) broken.push('it fell while it was running');
  return broken;
}
