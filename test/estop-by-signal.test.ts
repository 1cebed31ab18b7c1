import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { refusalOf, STAND, TestRobot, until } from './harness.ts';

it('SIGUSR2 stops the robot', async () => {
  const robot = await TestRobot.start();
  await robot.stand();
  process.kill(await robot.controlPid(), 'SIGUSR2');
  await robot.truth('torque off', ({ state }) => state === 'estopped');
  const status = await robot.status('latched on disk', ({ estop }) => estop.onDisk);
  expect(status).toMatchObject({ state: 'estopped', estop: { latched: true, source: 'SIGUSR2' } });
  await until('the latch file', () => readFileSync(robot.latchFile, 'utf8').includes('SIGUSR2'));
  expect(await refusalOf(robot.control.command({ name: 'mode', mode: STAND }, robot.operator))).toMatch(/estop/);
});
