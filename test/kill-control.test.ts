import { constants, openSync, writeSync } from 'node:fs';
import { ReadStream } from 'node:tty';
import { expect, it, onTestFinished } from 'vitest';
import { RESYNCHRONISE_AFTER } from '../src/protocol/sequence-check.ts';
import { loadRobot } from '../src/robot/robot.ts';
import { TestHost } from '../src/simulation/host.testing.ts';
import { reasonsOf, refusalOf, STAND, TestRobot, until } from './harness.ts';

const { timing, policy } = loadRobot('wheel-legged');
const FRAME = 1e6 / policy.rate;

it('the motor controller brakes within its watchdog after a kill -9 of control', async () => {
  const robot = await TestRobot.withoutControl();
  // Opened before control claims the port for itself; only read from once control is dead.
  const port = openSync(robot.port, constants.O_RDWR | constants.O_NOCTTY);
  await robot.startControl();
  await robot.stand();

  await robot.killControl();
  const bystander = new TestHost(loadRobot('wheel-legged'), 0x0ddba11);
  const stream = new ReadStream(port);
  onTestFinished(() => void stream.destroy());
  stream.on('error', () => {});
  stream.on('data', (bytes: Buffer) => {
    // Commands of a host that is not in charge: the watchdog must not take them for a sign of life.
    if (bystander.receive(bytes).some(({ kind }) => kind === 'sensors')) writeSync(port, bystander.command());
  });
  // So many that its sequence is taken for that of a sender that counts anew (PROTOCOL.md §3.13).
  for (let count = 0; count <= RESYNCHRONISE_AFTER; count++) writeSync(port, bystander.command());

  await until('the motor controller reports what it latched', () => bystander.all('fault').length > 0);
  const fault = bystander.last('fault');
  expect(fault.cause).toBe('watchdog');
  // In step with the answers a command arrives at the MCU time of the frame that it answers.
  const frame = bystander.frames.findLast(({ kind }) => kind === 'sensors');
  if (frame?.message.kind !== 'sensors') throw new Error('no sensors frame');
  const unanswered = (frame.sequence - frame.message.answered) & 0xffff;
  const lastCommandAt = frame.time - unanswered * FRAME;
  const waited = fault.latchedAt - lastCommandAt;
  expect(waited).toBeGreaterThanOrEqual(timing.mcuWatchdog * 1000);
  expect(waited).toBeLessThanOrEqual(timing.mcuWatchdog * 1000 + FRAME);

  const { commandsRejected } = await robot.truth('limp after braking', ({ state }) => state === 'limp');
  expect(commandsRejected.wrongSession).toBeGreaterThan(0);
});

it('a control that was killed comes back disarmed, refuses to move until it is reset, then stands again', async () => {
  const robot = await TestRobot.withoutControl();
  await robot.startControl('run');
  await robot.stand();
  const before = await robot.controlPid();

  await robot.killControl();
  await robot.truth('braking or limp', ({ state }) => state === 'braking' || state === 'limp');
  await robot.connect();
  const status = await robot.status('the new control hears the robot', ({ mcu, reasons }) => {
    return mcu.session === 'accepted' && mcu.state === 'limp' && reasons.length > 0;
  });
  expect(status.pid).not.toBe(before);
  expect(status).toMatchObject({ state: 'disarmed', mode: { task: 'disarmed' }, mcu: { latchCause: 'watchdog' } });
  expect(reasonsOf(status)).toContain('mcu-watchdog');

  await robot.lift();
  expect(await refusalOf(robot.control.command({ name: 'mode', mode: STAND }, robot.operator))).toMatch(/mcu-watchdog/);
  await robot.simulator.wait(0.2);
  expect((await robot.simulator.truth()).state).toBe('limp');

  await robot.reset();
  await robot.truth('idle after the reset', ({ state }) => state === 'idle');
  await robot.lift();
  await robot.stand();
  await robot.simulator.request('mark', { name: 'again' });
  await robot.simulator.wait(2);
  expect(await robot.simulator.measure('again')).toMatchObject({ falls: 0 });
  expect((await robot.simulator.truth()).state).toBe('active');
});
