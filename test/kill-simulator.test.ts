import { expect, it } from 'vitest';
import { familyOf, isAlive, reasonsOf, TestRobot, until } from './harness.ts';

it('kill -9 of the virtual robot leaves no process behind, and control goes on without it', async () => {
  const robot = await TestRobot.start();
  await robot.stand();
  const pid = await robot.controlPid();
  const family = familyOf(robot.simulatorProcess.pid ?? 0);
  // The simulator itself, the pty's keeper and what keeps its slave open.
  expect(family.length).toBeGreaterThanOrEqual(3);

  robot.simulatorProcess.kill('SIGKILL');
  await until('nothing of it is left', () => !family.some(isAlive));

  const status = await robot.status('the loss is noticed', (now) => reasonsOf(now).includes('link-lost'));
  expect(status).toMatchObject({ pid, state: 'braking', link: { open: false } });
  // Without frames there is no clock; it stays as it is, and stopping still works.
  await robot.control.disarm();
  expect(await robot.control.status()).toMatchObject({ pid, state: 'disarmed', link: { open: false } });
});
