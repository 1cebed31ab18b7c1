import { expect, it } from 'vitest';
import { reasonsOf, refusalOf, STAND, TestRobot } from './harness.ts';

it('an emergency stop survives kill -9 of control and a restart of the motor controller', async () => {
  const robot = await TestRobot.start();
  await robot.stand();
  const { stages, onDisk } = await robot.control.estop('test');
  // Disk and motor controller answer when they can: either may be first.
  expect(stages.toSorted()).toEqual(['confirmed', 'latched', 'received']);
  expect(onDisk).toBe(true);

  await robot.killControl();
  await robot.startControl();
  const status = await robot.control.status();
  expect(status).toMatchObject({ state: 'estopped', estop: { latched: true, source: 'test', onDisk: true } });
  expect(reasonsOf(status)).toContain('estop');
  expect(await refusalOf(robot.control.command({ name: 'mode', mode: STAND }, robot.operator))).toMatch(/estop/);

  // The motor controller forgets its latch with its memory; control does not.
  await robot.simulator.request('reboot');
  await robot.truth('torque off again', ({ state }) => state === 'estopped');
  await robot.status('control has seen that it is', ({ mcu }) => mcu.state === 'estopped');
  expect((await robot.control.status()).estop).toMatchObject({ latched: true, source: 'test' });
  expect(await refusalOf(robot.control.command({ name: 'mode', mode: STAND }, robot.operator))).toMatch(/estop/);

  await robot.reset();
  await robot.lift();
  await robot.stand();
  expect((await robot.simulator.truth()).state).toBe('active');
});
