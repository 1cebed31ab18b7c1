import { constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ReadStream } from 'node:tty';
import { expect, it, onTestFinished } from 'vitest';
import type { Command, Sensors } from '../protocol/messages.gen.ts';
import { loadRobot } from '../robot/robot.ts';
import type { Exchange } from './exchange-log.ts';
import { TestHost } from './host.testing.ts';
import { RobotSim } from './robot-sim.ts';

const robot = loadRobot('wheel-legged');

/** A simulator whose time stands still, what it exchanged, and a word to it. */
async function steppedSim(seed = 1) {
  const folder = mkdtempSync(join(tmpdir(), 'sim-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const sent: Exchange[] = [];
  const sim = new RobotSim({
    robot,
    seed,
    pace: 'stepped',
    hand: true,
    link: join(folder, 'port'),
    socket: join(folder, 'sim.sock'),
    onExchange: (exchange) => 'sent' in exchange && sent.push(exchange),
  });
  await sim.start();
  onTestFinished(() => sim.stop());
  const socket = connect(sim.socketPath);
  onTestFinished(() => void socket.destroy());
  const replies = createInterface({ input: socket })[Symbol.asyncIterator]();
  const ask = async (verb: string, rest: Record<string, unknown> = {}): Promise<Record<string, unknown>> => {
    socket.write(`${JSON.stringify({ verb, ...rest })}\n`);
    return JSON.parse((await replies.next()).value ?? '');
  };
  const frames = () => sent.flatMap((one) => ('sent' in one && one.sent.kind === 'sensors' ? [one.sent] : []));
  return { sim, ask, frames, port: join(folder, 'port') };
}

/** A host that greets, and again when the MCU has started anew, and answers each frame after so many turns of the event loop, or hangs. */
function hostOn(port: string, answer: (sensors: Sensors) => Partial<Command> | undefined, turns = 1) {
  let host = new TestHost(robot, 1);
  const fd = openSync(port, constants.O_RDWR | constants.O_NOCTTY);
  const stream = new ReadStream(fd);
  onTestFinished(() => void stream.destroy());
  stream.on('error', () => {});
  let answered = 0;
  const send = (bytes: Uint8Array) => writeSync(fd, bytes);
  stream.on('data', async (bytes: Uint8Array) => {
    for (const { message, sequence } of host.receive(bytes)) {
      if (message.kind === 'hello' && message.peerNonce === 0) {
        host = new TestHost(robot, message.nonce);
        send(host.hello());
      }
      if (message.kind !== 'sensors') continue;
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
      const command = answer(message);
      if (command === undefined) continue; // it hangs
      answered += 1;
      send(host.command({ answers: sequence, ...command }));
    }
  });
  send(host.hello());
  return { answered: () => answered };
}

it('at stepped pace MCU time passes when it is told to, and each frame waits for its answer', async () => {
  const { ask, frames, port } = await steppedSim();
  const host = hostOn(port, () => ({ requestedState: 'idle' }), 20);
  expect(await ask('truth')).toMatchObject({ time: 0 });
  // the greeting has to be there before time may pass
  while (host.answered() === 0) await ask('advance', { seconds: 0.005 });
  const before = await ask('truth');
  const answeredBefore = host.answered();
  expect(await ask('advance', { seconds: 1 })).toEqual({ ok: true });
  expect((await ask('truth')).time).toBeCloseTo(Number(before.time) + 1, 9);
  expect(host.answered() - answeredBefore).toBe(200);
  const count = frames().length;
  expect((await ask('truth')).time).toBeCloseTo(Number(before.time) + 1, 9);
  expect(frames().length).toBe(count);
});

it('the same seed repeats the same frames, also after a restart of the same simulator', async () => {
  const { ask, frames, port } = await steppedSim(7);
  hostOn(port, ({ gyro }) => ({ requestedState: 'active', wheelTorque: [gyro[1], gyro[1]] }));
  const life = async (seed: number) => {
    await ask('restart', { seed });
    const from = frames().length;
    await ask('advance', { seconds: 0.5 });
    return frames()
      .slice(from)
      .map(({ gyro, attitude, wheelVelocity }) => ({ gyro, attitude, wheelVelocity }));
  };
  const once = await life(7);
  const other = await life(8);
  expect(once).toHaveLength(100);
  expect(await life(7)).toEqual(once);
  expect(other).not.toEqual(once);
});

it('with no patience time passes as for a host that hangs', async () => {
  const { ask, frames, port } = await steppedSim();
  let hangs = false;
  const host = hostOn(port, () => (hangs ? undefined : { requestedState: 'active' }));
  while (host.answered() < 10) await ask('advance', { seconds: 0.005 });
  const count = frames().length;
  hangs = true;
  await ask('advance', { seconds: 0.2, patience: 0 });
  expect(frames().length - count).toBe(40);
  expect(await ask('truth')).toMatchObject({ state: 'braking' });
});

it('time that passes by itself is not advanced, and says how it could be', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sim-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const sim = new RobotSim({ robot, socket: join(folder, 'sim.sock') });
  await sim.start();
  onTestFinished(() => sim.stop());
  const socket = connect(sim.socketPath);
  onTestFinished(() => void socket.destroy());
  const replies = createInterface({ input: socket })[Symbol.asyncIterator]();
  socket.write('{"verb":"advance","seconds":1}\n');
  expect(JSON.parse((await replies.next()).value ?? '')).toMatchObject({
    ok: false,
    error: expect.stringMatching(/--pace stepped/),
  });
});
