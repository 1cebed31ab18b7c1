import { expect, it } from 'vitest';
import { MOVING, runningRobot } from './scenario.testing.ts';

it('what a control commanded last does not outlive it: 25 ms after it was killed the wheels brake, and after the watchdog for good', async () => {
  const robot = await runningRobot(MOVING);
  robot.signal('SIGKILL');
  await robot.gone();
  // PROTOCOL.md §6.3: without a fresh command the wheels are damped; §6.5: the watchdog latches.
  await robot.advance(0.2);
  expect((await robot.truth()).state).toBe('braking');
  const { lastActive } = await robot.measure();
  expect(lastActive).toBeLessThanOrEqual(0.06);
  await robot.advance(3);
  const { state, speed } = await robot.truth();
  expect(state).toBe('limp');
  expect(Math.abs(speed)).toBeLessThan(0.05);
});
