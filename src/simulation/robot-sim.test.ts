import { constants, existsSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ReadStream } from 'node:tty';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { Command, Sensors } from '../protocol/messages.gen.ts';
import { loadRobot } from '../robot/robot.ts';
import { TestHost } from './host.testing.ts';
import { RobotSim, type RobotSimOptions } from './robot-sim.ts';

const robot = loadRobot('wheel-legged');
const directory = mkdtempSync(join(tmpdir(), 'sim-'));
afterAll(() => rmSync(directory, { recursive: true }));

type Reply = Record<string, unknown>;

/** Talks to the control socket. */
class Remote {
  readonly #socket: Socket;
  readonly #waiting: ((reply: Reply) => void)[] = [];

  constructor(path: string) {
    this.#socket = connect(path);
    createInterface({ input: this.#socket }).on('line', (line) => this.#waiting.shift()?.(JSON.parse(line) as Reply));
  }

  raw(line: string): Promise<Reply> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#socket.write(`${line}\n`);
    });
  }

  ask(verb: string, rest: Reply = {}): Promise<Reply> {
    return this.raw(JSON.stringify({ verb, ...rest }));
  }

  close(): void {
    this.#socket.destroy();
  }
}

type Answer = (sensors: Sensors) => Partial<Command> | undefined;

/** A host on the port that answers each frame. */
class PortHost {
  readonly host: TestHost;
  readonly #fd: number;
  readonly #stream: ReadStream;
  answer: Answer = () => ({ requestedState: 'idle' });

  constructor(path: string, nonce: number) {
    this.host = new TestHost(robot, nonce);
    this.#fd = openSync(path, constants.O_RDWR | constants.O_NOCTTY);
    this.#stream = new ReadStream(this.#fd);
    this.#stream.on('error', () => undefined);
    this.#stream.on('data', (bytes: Uint8Array) => {
      for (const { message, sequence } of this.host.receive(bytes)) {
        if (message.kind !== 'sensors') continue;
        const changes = this.answer(message);
        if (changes) this.send(this.host.command({ answers: sequence, ...changes }));
      }
    });
    this.send(this.host.hello());
  }

  send(bytes: Uint8Array): void {
    try {
      writeSync(this.#fd, bytes);
    } catch {
      // the port was pulled
    }
  }

  /** Closes the descriptor with the stream. */
  close(): void {
    this.#stream.destroy();
  }
}

/** Balances by the frames alone. */
function balancer(): Answer {
  let origin: number | undefined;
  return ({ attitude: [w, , y], gyro, wheelPosition, wheelVelocity, legPosition }) => {
    const pitch = 2 * Math.atan2(y, w);
    const { radius } = robot.wheels;
    const travelled = radius * ((wheelPosition[0] + wheelPosition[1]) / 2 + legPosition[0] + legPosition[1] + pitch);
    origin ??= travelled;
    const speed = radius * ((wheelVelocity[0] + wheelVelocity[1]) / 2 + gyro[1]);
    const wanted = (15 * pitch + 1.8 * gyro[1] + 2 * (travelled - origin) + 2.5 * speed) / 2;
    const wheel = Math.max(-1.5, Math.min(1.5, wanted));
    return { requestedState: 'active', wheelTorque: [wheel, wheel] };
  };
}

describe('the robot simulator', () => {
  const open: { sim: RobotSim; closers: (() => void)[] }[] = [];
  let count = 0;
  const start = async (options: Partial<RobotSimOptions> = {}) => {
    count += 1;
    const name = join(directory, `${count}`);
    const sim = new RobotSim({ robot, socket: `${name}.sock`, link: `${name}.port`, pace: 'lockstep', ...options });
    const closers: (() => void)[] = [];
    open.push({ sim, closers });
    await sim.start();
    const remote = new Remote(sim.socketPath);
    closers.push(() => remote.close());
    const plugIn = (nonce = 0xabcd + count) => {
      const host = new PortHost(`${name}.port`, nonce);
      closers.push(() => host.close());
      return host;
    };
    const truth = () => remote.ask('truth');
    /** until something is true; the test's own limit ends the wait */
    const until = async (condition: (truth: Reply) => boolean) => {
      for (;;) {
        const now = await truth();
        if (condition(now)) return now;
        await remote.ask('wait', { seconds: 0.02 });
      }
    };
    return { sim, remote, plugIn, truth, until };
  };
  afterEach(async () => {
    for (const { sim, closers } of open.splice(0)) {
      for (const close of closers) close();
      await sim.stop();
      expect(existsSync(sim.socketPath)).toBe(false);
    }
  });

  it('in lockstep stands by ground truth, with an answer to every frame', async () => {
    const { remote, plugIn, until, truth } = await start({ hand: true });
    const port = plugIn();
    await until(
      ({ commandsRejected, latencyUs }) => commandsRejected !== undefined && Number((latencyUs as Reply).count) > 5,
    );
    port.answer = balancer();
    await until(({ state, hand }) => state === 'active' && hand === false);
    await remote.ask('mark', { name: 'standing' });
    const before = port.host.all('sensors').length;
    await remote.ask('wait', { seconds: 5 });
    const measured = await remote.ask('measure', { name: 'standing' });
    expect(measured).toMatchObject({ ok: true, falls: 0 });
    expect(Number(measured.seconds)).toBeGreaterThanOrEqual(5);
    expect(Number(measured.maxAbsX)).toBeLessThan(0.5);
    expect(Number(measured.maxTilt)).toBeLessThan(0.2);
    const sensors = port.host.all('sensors').slice(before);
    expect(sensors.length).toBeGreaterThan(990);
    expect(sensors.every(({ commandFresh }) => commandFresh)).toBe(true);
    const end = await truth();
    expect(end).toMatchObject({ state: 'active', lifts: 0, falls: 0 });
    expect(Math.abs(Number(end.pitch))).toBeLessThan(0.05);

    // pushed over: a fall, and then somebody lifts it
    port.answer = () => ({ requestedState: 'active' });
    await until(({ falls }) => falls === 1);
    port.answer = () => ({ requestedState: 'idle' });
    await until(({ state }) => state === 'idle');
    expect(await remote.ask('lift')).toEqual({ ok: true });
    await remote.ask('wait', { seconds: 1.5 });
    expect(await truth()).toMatchObject({ hand: true, lifts: 1, falls: 1 });
    expect(Number((await truth()).tilt)).toBeLessThan(0.05);
  });

  it('does not count the fall of an e-stopped robot', async () => {
    const { plugIn, until } = await start({ hand: true });
    const port = plugIn();
    port.answer = balancer();
    await until(({ state, hand }) => state === 'active' && hand === false);
    port.send(port.host.estop());
    const lying = await until(({ tilt }) => Number(tilt) > robot.limits.tilt);
    expect(lying).toMatchObject({ state: 'estopped', falls: 0 });
  });

  it('goes on without an answer when the host falls silent, into the watchdog', async () => {
    const { plugIn, until } = await start({ hand: true });
    const port = plugIn();
    port.answer = balancer();
    await until(({ state }) => state === 'active');
    port.close();
    await until(({ state }) => state === 'braking' || state === 'limp');
  });

  it('takes the port away and gives it back under the same name', async () => {
    const { remote, plugIn, until, sim } = await start();
    const first = plugIn();
    await until(({ latencyUs }) => Number((latencyUs as Reply).count) > 3);
    const link = sim.port ?? '';
    expect(await remote.ask('unplug')).toEqual({ ok: true });
    expect(existsSync(link)).toBe(false);
    expect(await remote.ask('truth')).toMatchObject({ port: null });
    first.close();
    await remote.ask('wait', { seconds: 0.1 });
    expect(await remote.ask('replug')).toEqual({ ok: true, port: link });
    const { latencyUs } = await remote.ask('truth');
    const second = plugIn(0x5151);
    await until((now) => Number((now.latencyUs as Reply).count) > Number((latencyUs as Reply).count) + 3);
    expect(second.host.last('hello').peerNonce).toBe(0x5151);
  });

  it('injects faults, garbage, pushes and resets', async () => {
    const { remote, plugIn, until } = await start({ hand: true });
    const port = plugIn();
    await until(({ latencyUs }) => Number((latencyUs as Reply).count) > 3);
    await remote.ask('garbage', { bytes: 500 });
    await remote.ask('fault', { bits: 4 });
    await until(({ state }) => state === 'faulted');
    await until(() => port.host.all('fault').length > 0 && port.host.last('sensors').faults === 4);
    const { nonce } = port.host.last('hello');
    await remote.ask('fault', { bits: 0 });
    expect(await remote.ask('reboot')).toEqual({ ok: true });
    await until(({ state }) => state === 'idle');
    await until(() => port.host.last('hello').nonce !== nonce);
    expect(await remote.ask('push', { newtons: 10, seconds: 0.1 })).toEqual({ ok: true });
  });

  it('answers nonsense on its control socket with what is wrong', async () => {
    const { remote } = await start();
    expect(await remote.raw('lift')).toMatchObject({ ok: false, error: expect.stringMatching(/not JSON/) });
    expect(await remote.ask('dance')).toMatchObject({ ok: false });
    expect(await remote.ask('wait', { seconds: 'long' })).toMatchObject({ ok: false });
    expect(await remote.ask('measure', { name: 'nothing' })).toMatchObject({ ok: false });
  });

  it('models a slow wire in MCU time', async () => {
    const { remote, plugIn, until } = await start({ baud: 230_400 });
    const port = plugIn();
    await until(({ latencyUs }) => Number((latencyUs as Reply).count) > 20);
    await remote.ask('wait', { seconds: 0.1 });
    const { sequence, message } = port.host.frames.filter(({ kind }) => kind === 'sensors').at(-1) ?? {};
    if (message?.kind !== 'sensors' || sequence === undefined) throw new Error('no sensors');
    // 3.5 ms down and 2.5 ms up: the answer to the frame before is still on its way when the next one is sampled
    expect((sequence - message.answered) & 0xffff).toBe(2);
  });

  it('plays a log and says when it has ended', async () => {
    const rows = Array.from({ length: 40 }, (_, k) => `${k / 100} 0.2 0.01 0 0.5 0`).join('\n');
    const path = join(directory, 'log.txt');
    writeFileSync(path, rows);
    const { remote, plugIn, until } = await start({ playback: path });
    const port = plugIn();
    await until(({ latencyUs }) => Number((latencyUs as Reply).count) > 3);
    port.answer = () => ({ requestedState: 'active' });
    expect(await until(({ ended }) => ended === true)).toMatchObject({ x: 0.39 });
    expect(await remote.ask('lift')).toMatchObject({ ok: false });
  });

  it('keeps time on a real clock and ends on request', async () => {
    const { remote, plugIn, until, sim } = await start({ pace: 'real', hand: true });
    const port = plugIn();
    port.answer = balancer();
    const end = await until(({ latencyUs }) => Number((latencyUs as Reply).count) > 50);
    expect(end).toHaveProperty('slips');
    expect(await remote.ask('quit')).toEqual({ ok: true });
    await sim.stopped();
  });

  it('refuses what it cannot simulate', async () => {
    expect(() => new RobotSim({ robot, rate: 300 })).toThrow(/300 Hz/);
    expect(() => new RobotSim({ robot, baud: 9600 })).toThrow(/9600 baud/);
    await expect(new RobotSim({ robot, gaps: ['no-such-gap'] }).start()).rejects.toMatchObject({
      codeName: 'fileUnreadable',
    });
  });
});
