import { spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ArmedMode } from '../src/messages/mode.ts';
import { openPty } from '../src/simulation/pty.ts';
import { type RobotOptions, reasonsOf, refusalOf, STAND, TestRobot, temporaryFolder, until } from './harness.ts';

const MOVE: ArmedMode = { task: 'moving-straight', controller: 'balancer' };

/** A named pipe in a folder of its own. */
function makePipe(path = join(temporaryFolder(), 'stop')): string {
  expect(spawnSync('mkfifo', [path]).status).toBe(0);
  return path;
}

/** Somebody has the pipe open for writing, as soon as control reads it. */
async function writer(path: string): Promise<(bytes: Uint8Array) => void> {
  const descriptor = await until('control has the pipe open', () => {
    try {
      return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch {
      return undefined;
    }
  });
  onTestFinished(() => closeSync(descriptor));
  return (bytes) => void writeSync(descriptor, bytes);
}

/** struct js_event */
function jsEvent(type: number, number: number, value: number): Buffer {
  const event = Buffer.alloc(8);
  event.writeUInt32LE(123, 0);
  event.writeInt16LE(value, 4);
  event.writeUInt8(type, 6);
  event.writeUInt8(number, 7);
  return event;
}

const BUTTON = 0x01;
const AXIS = 0x02;
const INIT = 0x80;

const robotWith = (stopInputs: NonNullable<NonNullable<RobotOptions['config']>['stopInputs']>, config = {}) =>
  TestRobot.start({ config: { stopInputs, ...config } });

const looked = async (robot: TestRobot) => {
  // A few periods in which control looks at its inputs, by the clock of the motor controller and by answers of control.
  for (let look = 0; look < 5; look++) await robot.simulator.wait(0.1);
  return await robot.control.status();
};

describe('a named pipe', () => {
  it('stops the robot with any byte, latched and confirmed; the stop survives kill -9, and undoing it wants both', async () => {
    const path = makePipe();
    const robot = await robotWith([{ path, kind: 'auto', buttons: [], confirmButtons: [] }]);
    await robot.stand();
    const write = await writer(path);
    write(Buffer.from('x'));
    await robot.truth('torque off', ({ state }) => state === 'estopped');
    const status = await robot.status('latched on disk', ({ estop }) => estop.onDisk);
    expect(status.estop).toMatchObject({ latched: true, source: `${path}: written to`, confirmation: 'wanted' });
    expect(status.stopInputs).toMatchObject([{ path, kind: 'pipe', open: true, problem: '' }]);
    await robot.killControl();
    await robot.startControl();
    expect(await robot.control.status()).toMatchObject({ state: 'estopped', estop: { latched: true } });
    expect(await refusalOf(robot.control.command({ name: 'mode', mode: STAND }, robot.operator))).toMatch(/estop/);
    await robot.reset();
    await robot.lift();
    await robot.stand();
  });

  it('that is flooded stops the robot and costs control no frame', async () => {
    const path = makePipe();
    const robot = await robotWith([{ path, kind: 'auto', buttons: [], confirmButtons: [] }]);
    await robot.stand();
    const write = await writer(path);
    const flood = setInterval(() => {
      try {
        write(Buffer.alloc(4096, 0x41));
      } catch {
        // full: control reads a bounded part in each turn
      }
    }, 1);
    onTestFinished(() => clearInterval(flood));
    await robot.truth('torque off', ({ state }) => state === 'estopped');
    await robot.simulator.wait(2);
    const { counters } = await robot.control.status();
    expect(counters['frames.lost']).toBe(0);
    expect(counters.answered).toBe(counters.frames);
    expect((await robot.control.status()).stopInputs[0]?.stops).toBeGreaterThan(10);
  });

  it('that is taken away refuses arming, and is read again when another is put there', async () => {
    const path = makePipe();
    const robot = await robotWith([{ path, kind: 'auto', buttons: [], confirmButtons: [] }]);
    await robot.arm();
    await robot.control.disarm();
    await robot.lift();
    rmSync(path);
    const lost = await robot.status('the loss is noticed', (now) => reasonsOf(now).includes('stop-input-lost'));
    expect(lost.stopInputs[0]).toMatchObject({ open: false, problem: expect.stringContaining('ENOENT') });
    expect(await refusalOf(robot.control.command({ name: 'mode', mode: STAND }, robot.operator))).toMatch(/stop-input/);
    // Not a pipe, nor a device: not believed.
    spawnSync('touch', [path]);
    await robot.status('it is no pipe', ({ stopInputs }) => stopInputs[0]?.problem.includes('neither') === true);
    const other = makePipe(`${path}.new`);
    renameSync(other, path);
    await robot.status('it is read again', ({ stopInputs }) => stopInputs[0]?.open === true);
    await robot.arm();
    (await writer(path))(Buffer.from('x'));
    await robot.truth('torque off', ({ state }) => state === 'estopped');
  });

  it('that goes while the robot moves makes it hold, and it does not drive off when the pipe is back', async () => {
    const path = makePipe();
    const robot = await robotWith([{ path, kind: 'auto', buttons: [], confirmButtons: [] }], { operatorHeartbeat: 0 });
    await robot.stand();
    const order = () => robot.control.command({ name: 'mode', mode: MOVE, session: 'x' }, robot.operator);
    await order();
    await robot.simulator.wait(2);
    rmSync(path);
    await robot.status('it holds', (now) => reasonsOf(now).includes('stop-input-lost'));
    expect((await robot.control.status()).state).toBe('running');
    expect(await refusalOf(order())).toMatch(/stop-inputs/);
    makePipe(path);
    await robot.status('the pipe is read again', ({ stopInputs }) => stopInputs[0]?.open === true);
    await robot.simulator.wait(0.5);
    const holding = await robot.control.status();
    expect(reasonsOf(holding)).toEqual(['stop-input-lost']);
    expect(holding.limits).toContain('fallback');
    await order();
    await robot.status('it may move again', (now) => reasonsOf(now).length === 0);
  });
});

describe('a joystick (its bytes, through a named pipe)', () => {
  it('stops with a press of any button; not with axes, releases, nor with how its buttons are found', async () => {
    const path = makePipe();
    const robot = await robotWith([{ path, kind: 'joystick', buttons: [], confirmButtons: [] }]);
    await robot.stand();
    const write = await writer(path);
    write(Buffer.concat([jsEvent(INIT | BUTTON, 0, 0), jsEvent(INIT | BUTTON, 1, 1), jsEvent(INIT | AXIS, 0, 32767)]));
    write(Buffer.concat([jsEvent(AXIS, 0, -32767), jsEvent(AXIS, 1, 1), jsEvent(BUTTON, 0, 0)]));
    expect(await looked(robot)).toMatchObject({ state: 'running', stopInputs: [{ kind: 'joystick', held: [1] }] });
    // In two pieces: half an event is none.
    const press = jsEvent(BUTTON, 0, 1);
    write(press.subarray(0, 5));
    expect((await looked(robot)).state).toBe('running');
    write(press.subarray(5));
    await robot.truth('torque off', ({ state }) => state === 'estopped');
    const { estop } = await robot.status('latched on disk', ({ estop }) => estop.onDisk);
    expect(estop.source).toBe(`${path}: button 0`);
  });

  it('with named buttons stops with those only, and no reset undoes a stop whose button is still pressed', async () => {
    const path = makePipe();
    const robot = await robotWith([{ path, kind: 'joystick', buttons: [3], confirmButtons: [] }]);
    await robot.stand();
    const write = await writer(path);
    write(jsEvent(BUTTON, 2, 1));
    expect((await looked(robot)).state).toBe('running');
    write(jsEvent(BUTTON, 3, 1));
    await robot.truth('torque off', ({ state }) => state === 'estopped');
    await robot.status('held', ({ stopInputs }) => stopInputs[0]?.held.includes(3) === true);
    expect(await refusalOf(robot.reset())).toMatch(/stop-still-pressed/);
    write(jsEvent(BUTTON, 3, 0));
    await robot.status('released', ({ stopInputs }) => stopInputs[0]?.held.length === 0);
    await robot.simulator.wait(0.1);
    await until('the reset is taken', async () => {
      const refused = await robot.reset().then(
        () => '',
        (error: Error) => error.message,
      );
      return refused === '';
    });
    expect((await robot.control.status()).state).toBe('disarmed');
  });
});

describe('a character device (a pseudo-terminal, with the bytes of a joystick)', () => {
  it('is read without waiting, stops, and is lost when its other end goes', async () => {
    const pty = await openPty();
    onTestFinished(() => pty.close());
    const robot = await robotWith([{ path: pty.path, kind: 'joystick', buttons: [], confirmButtons: [] }]);
    await robot.stand();
    expect((await looked(robot)).stopInputs).toMatchObject([{ open: true, problem: '' }]);
    pty.write(jsEvent(BUTTON, 7, 1));
    await robot.truth('torque off', ({ state }) => state === 'estopped');
    expect((await robot.control.status()).estop.source).toBe(`${pty.path}: button 7`);
    await pty.close();
    // The table hears of it with the next frame.
    await robot.status(
      'gone, and named',
      (status) => status.stopInputs[0]?.open === false && reasonsOf(status).includes('stop-input-lost'),
    );
  });

  it('confirms a reset with the button that is for that; a pipe does not', async () => {
    const pty = await openPty();
    onTestFinished(() => pty.close());
    const pipe = makePipe();
    const confirms = { kind: 'joystick' as const, buttons: [], confirmButtons: [9] };
    const robot = await robotWith([
      { path: pty.path, ...confirms },
      { path: pipe, ...confirms },
    ]);
    await robot.stand();
    const write = await writer(pipe);
    const press = Buffer.concat([jsEvent(BUTTON, 9, 1), jsEvent(BUTTON, 9, 0)]);
    await robot.control.estop('test');
    write(press);
    expect((await looked(robot)).estop.confirmation).toBe('wanted');
    pty.write(press);
    await robot.status('confirmed', ({ estop }) => estop.confirmation === 'given');
    await robot.control.command({ name: 'reset' }, robot.operator);
    expect((await robot.control.status()).state).toBe('disarmed');
    // Of a robot that is not stopped there is nothing to confirm.
    pty.write(press);
    await looked(robot);
    await robot.control.estop('again');
    expect(await refusalOf(robot.control.command({ name: 'reset' }, robot.operator))).toMatch(/confirmation-wanted/);
  });
});
