import { expect, it } from 'vitest';
import type { ArmedMode } from '../messages/mode.ts';
import { loadRobot } from '../robot/robot.ts';
import { taskNames } from '../robot/tasks/tasks.ts';
import { FAILSAFE_TABLE } from './failsafe-table.ts';
import { whatIf } from './what-if.ts';

const robot = loadRobot('wheel-legged');
const MODES: ArmedMode[] = taskNames.flatMap((task): ArmedMode[] => [
  { task, controller: 'balancer' },
  { task, controller: 'balancer', targetVelocity: robot.limits.targetVelocity },
  { task, controller: 'some-policy' },
]);

it.each(FAILSAFE_TABLE.map(({ id }) => id))('%s ends the same in every mode', (id) => {
  const ends = MODES.map((mode) => {
    const last = whatIf({ robot, mode, conditions: [id] }).at(-1);
    return { frame: last?.frame, state: last?.state, command: last?.command, named: last?.reasons.includes(id) };
  });
  expect(ends[0]?.named).toBe(true);
  expect(ends).toEqual(MODES.map(() => ends[0]));
});
