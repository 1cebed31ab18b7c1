import type { RobotState } from '../../src/messages/states.ts';
import { ACTIONS, type Action } from '../../src/messages/states.ts';
import type { McuState } from '../../src/protocol/messages.gen.ts';
import { FAILSAFE_TABLE } from '../../src/safety/failsafe-table.ts';
import type { Promised } from './fault.ts';
import type { Outcome } from './run-fault.ts';

/** Conditions that say how fast this machine is, and nothing of the fault. */
const OF_THE_MACHINE = ['overrun', 'overrun-lasting', 'policy-late'];

/** Conditions that tell of the fault, and are the same on every machine. */
export const ofTheFault = (conditions: readonly string[]): string[] =>
  conditions.filter((id) => !OF_THE_MACHINE.includes(id));

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
export function describePromise({ goesOn, by = [], mcuAlone }: Promised): string {
  const ends = [...new Set(by.map((id) => endOf(actionOf(id))))];
  return [
    ...(goesOn ? ['goes on'] : []),
    ...(by.length > 0 ? [`${by.join(', ')} → ${ends.join(', ')}`] : []),
    ...(mcuAlone ? ['the motor controller brakes by itself, then limp'] : []),
  ].join('; or ');
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
  const { robotState, mcuState, falls } = outcome;
  if (promised.mcuAlone) {
    if (mcuState !== 'limp') broken.push(`the motor controller is ${mcuState}, and nobody can tell it what to do`);
    return broken;
  }
  const conditions = ofTheFault(outcome.conditions);
  const named = promised.by?.some((id) => conditions.includes(id)) ?? false;
  const stops = conditions.filter((id) => actionOf(id) !== 'warn');
  const says = conditions.join(', ') || 'nothing';
  if (!named && !(promised.goesOn && stops.length === 0)) {
    broken.push(`promised: ${describePromise(promised)}; but ${says} is named`);
  }
  const expected = endOf(highestOf(conditions));
  if (robotState !== expected) broken.push(`it is ${robotState}, and the table promises ${expected} for ${says}`);
  const states: readonly string[] = MCU_STATES[robotState];
  if (!states.includes(mcuState)) broken.push(`control is ${robotState}, the motor controller ${mcuState}`);
  if (robotState === 'running' && falls > 0) broken.push('it fell and goes on');
  return broken;
}
