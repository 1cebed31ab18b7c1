import { expect, it } from 'vitest';
import { runningRobot } from './scenario.testing.ts';

it('a robot whose every sensor repeats itself, while frames keep coming, is not taken for a healthy one', async () => {
  const robot = await runningRobot();
  await robot.simulator.request('sensor', { sensor: 'all', fault: 'stuck' });
  await robot.advance(0.3);
  const status = await robot.status();
  expect([...robot.conditions]).toContain('imu-stuck');
  expect(status?.state).not.toBe('running');
  const { lastActive } = await robot.measure();
  expect(lastActive).toBeLessThan(0.1);
  expect(robot.judge.violations).toEqual([]);
});
