import { expect, it } from 'vitest';
import { lastLine, TestRobot } from './harness.ts';

it('h2o-edge estop says when the stop was received, latched and confirmed', async () => {
  const robot = await TestRobot.start();
  await robot.stand();
  const finished = await robot.order('estop', '--json');
  expect(finished.code).toBe(0);
  expect(lastLine(finished)).toMatchObject({
    ok: true,
    confirmed: true,
    onDisk: true,
    stagesMs: { received: expect.any(Number), latched: expect.any(Number), confirmed: expect.any(Number) },
  });
  expect((await robot.simulator.truth()).state).toBe('estopped');
});

it('a stop while the port is gone is latched, is not called confirmed, and reaches the motor controller once it is back', async () => {
  const robot = await TestRobot.start();
  await robot.stand();
  await robot.simulator.request('unplug');
  await robot.status('the loss is noticed', ({ link }) => !link.open);

  const finished = await robot.order('estop', '--json');
  expect(finished.code).not.toBe(0);
  const { stagesMs, ...said } = lastLine(finished);
  expect(said).toEqual({ ok: false, confirmed: false, onDisk: true });
  expect(Object.keys(stagesMs as object)).toEqual(['received', 'latched']);
  expect(finished.stderr).toMatch(/NOT confirmed/);

  await robot.simulator.request('replug');
  await robot.truth('torque off', ({ state }) => state === 'estopped');
  expect((await robot.control.status()).state).toBe('estopped');
});
