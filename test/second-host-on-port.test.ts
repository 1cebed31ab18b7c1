import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { loadRobot } from '../src/robot/robot.ts';
import { TestHost } from '../src/simulation/host.testing.ts';
import { reasonsOf, refusalOf, STAND, TestRobot } from './harness.ts';

const wheelLegged = loadRobot('wheel-legged');

/** On a busy machine this test's own host may be late, and is still to be in charge. */
const patientMotorController = (text: string): string => {
  const patient = text.replace(/(mcuWatchdog: \{ value: )50,/, '$13000,');
  if (patient === text) throw new Error('the robot file states mcuWatchdog in another way');
  return patient;
};

/** Another program that speaks the protocol on the same port. It opened the port before control claimed it, and only writes. */
function secondHost(robot: TestRobot) {
  const port = openSync(robot.port, constants.O_WRONLY | constants.O_NOCTTY);
  onTestFinished(() => closeSync(port));
  const host = new TestHost(wheelLegged, 0x5ec0d);
  return { host, send: (bytes: Uint8Array) => void writeSync(port, bytes) };
}

it('a host that greets the motor controller while this one is in charge is noticed, and the balancer holds', async () => {
  const robot = await TestRobot.withoutControl();
  const { host, send } = secondHost(robot);
  await robot.startControl();
  await robot.stand();

  send(host.hello());
  const status = await robot.status('the balancer holds', ({ limits }) => limits.includes('fallback'));
  expect(reasonsOf(status)).toContain('foreign-host');
  expect(status).toMatchObject({ state: 'running', mcu: { session: 'accepted' } });
  expect(status.counters['session.foreignHellos']).toBe(1);

  await robot.simulator.request('mark', { name: 'held' });
  await robot.simulator.wait(2);
  expect(await robot.simulator.measure('held')).toMatchObject({ falls: 0 });
  expect((await robot.simulator.truth()).state).toBe('active');
  expect(await refusalOf(robot.control.command({ name: 'mode', mode: STAND }, robot.operator))).toMatch(/foreign-host/);

  await robot.control.disarm();
  await robot.lift();
  send(host.hello());
  await robot.status('the other host took charge', ({ mcu }) => mcu.session === 'foreign');
  // Idle, the motor controller lets each newcomer in, this control again too: what stays is that somebody else was there.
  expect(await refusalOf(robot.control.command({ name: 'mode', mode: STAND }, robot.operator))).toMatch(/foreign-host/);
});

it('a control that finds another host in charge says so, does not arm, and is let in when that one is gone', async () => {
  const robot = await TestRobot.withoutControl({ pace: 'real', robotFile: patientMotorController });
  const { host, send } = secondHost(robot);
  let driving = true;
  onTestFinished(() => {
    driving = false;
  });
  const frameMicros = 1e6 / wheelLegged.policy.rate;
  send(host.hello());
  // It need not read: which frame is the newest follows from the time.
  const drive = (async () => {
    while (driving) {
      const { time } = await robot.simulator.truth();
      send(host.command({ answers: Math.floor((time * 1e6) / frameMicros) - 1, timeToLive: 500_000 }));
      await delay(1);
    }
  })();
  await robot.truth('the other host drives', ({ state }) => state === 'active');

  const started = robot.startControl();
  await robot.connect();
  const status = await robot.status('another host is in charge', ({ mcu }) => mcu.session === 'foreign');
  expect(status.state).toBe('disarmed');
  expect(await refusalOf(robot.control.command({ name: 'mode', mode: STAND }, robot.operator))).toMatch(/session/);

  driving = false;
  await drive;
  await started;
  await robot.truth('limp by its own watchdog', ({ state }) => state === 'limp');
  expect((await robot.control.status()).state).toBe('disarmed');
});
