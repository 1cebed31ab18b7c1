import { expect, it } from 'vitest';
import { until } from '../until.ts';
import { runningRobot } from './scenario.testing.ts';

it('an e-stop that cannot reach the motor controller is never called confirmed, and acts as soon as the line is back', async () => {
  const robot = await runningRobot();
  await robot.simulator.request('link', { fault: 'drop', direction: 'to-mcu' });
  const { stages } = await robot.control.estop('test', () => {}, 500);
  expect(stages).toContain('received');
  expect(stages).toContain('latched');
  expect(stages).not.toContain('confirmed');

  // The motor controller has not heard of it; it stops by its own watchdog.
  await robot.advance(0.2);
  expect((await robot.truth()).state).toBe('braking');
  expect((await robot.status())?.state).toBe('estopped');

  await robot.simulator.request('link', { fault: 'none' });
  await until('the stop is there', async () => {
    await robot.advance(0.05);
    return (await robot.truth()).state === 'estopped';
  });
  expect(robot.judge.violations).toEqual([]);
});
