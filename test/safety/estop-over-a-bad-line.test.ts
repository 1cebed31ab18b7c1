import { expect, it } from 'vitest';
import { until } from '../until.ts';
import { runningRobot } from './scenario.testing.ts';

it('an e-stop gets through a line that loses two frames of three, and is confirmed by the echo', async () => {
  const robot = await runningRobot();
  await robot.simulator.request('link', { fault: 'drop', rate: 0.66 });
  const stopping = robot.control.estop('test', () => {}, 20_000);
  await until('torque is off', async () => {
    await robot.advance(0.02);
    return (await robot.truth()).state === 'estopped';
  });
  // The echo is repeated every 100 ms until it gets through.
  await until('it is confirmed', async () => {
    await robot.advance(0.1);
    return (await Promise.race([stopping, Promise.resolve(undefined)]))?.stages.includes('confirmed');
  });
  await robot.simulator.request('mend');
  await robot.advance(1);
  expect((await robot.truth()).state).toBe('estopped');
  expect(robot.judge.violations).toEqual([]);
});
