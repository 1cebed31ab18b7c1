import { expect, it } from 'vitest';
import { MOVING, runningRobot } from './scenario.testing.ts';

it('a moving robot whose operator has gone comes to rest on its wheels: no hard stop topples it, and it does not drive off again', async () => {
  const robot = await runningRobot(MOVING, { config: { operatorHeartbeat: 500 }, session: 'watched' });
  expect((await robot.truth()).speed).toBeGreaterThan(0.1);
  robot.beating = false;
  await robot.advance(4);
  expect([...robot.conditions]).toContain('heartbeat-lost');
  const { speed, state, falls } = await robot.truth();
  expect({ state, falls }).toEqual({ state: 'active', falls: 0 });
  expect(Math.abs(speed)).toBeLessThan(0.1);
  expect((await robot.measure()).maxTilt).toBeLessThan(0.2);

  robot.beating = true;
  await robot.advance(3);
  const resumed = await robot.truth();
  expect(Math.abs(resumed.speed)).toBeLessThan(0.1);
  expect((await robot.status())?.state).toBe('running');
  expect(robot.judge.violations).toEqual([]);
});
