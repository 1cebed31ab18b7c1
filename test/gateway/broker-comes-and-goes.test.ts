import { createServer, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../harness.ts';
import { Mosquitto, noMosquitto } from './mosquitto.ts';
import { Rig, ROBOT } from './rig.ts';

/** The robot stands, answers every frame and records; that there is no broker is only a warning. */
async function isUntroubled(rig: Rig): Promise<void> {
  const { superseded } = await rig.counters();
  await rig.robot.simulator.wait(1);
  await rig.recording();
  const status = await rig.robot.control.status();
  expect(status.state).toBe('running');
  expect(status.reasons).toMatchObject([{ id: 'broker-lost', action: 'warn' }]);
  expect(status.counters).toMatchObject({ superseded, 'frames.lost': 0, 'rows.lost': 0 });
  expect(status.counters.answered).toBe(status.counters.frames);
  expect(await rig.robot.simulator.truth()).toMatchObject({ state: 'active', falls: 0 });
}

/** State, commands and the emergency stop go over the broker. */
async function isReachable(rig: Rig, broker: Mosquitto): Promise<void> {
  const listener = await rig.listener();
  await listener.state('the robot runs', (state) => state.online && state.state === 'running');
  // Retained: whoever comes now gets it at once.
  const newcomer = await rig.listener();
  await newcomer.state('is kept by the broker', ({ online }) => online);
  expect(newcomer.heard.find(({ on }) => on === 'state')?.retain).toBe(true);
  await rig.robot.status('the warning is over', ({ reasons }) => reasons.length === 0);
  const response = await listener.ask('command', { id: 'after', request: 'status' });
  expect(response).toMatchObject({ id: 'after', ok: true, status: { name: ROBOT } });

  await rig.robot.status("control's own ear is up", ({ counters }) => (counters['estopClient.connections'] ?? 0) > 0);
  await broker.publish(['-q', '1', '-t', `h2o/v1/${ROBOT}/estop`, '-m', 'stop']);
  await rig.robot.truth('torque off', ({ state }) => state === 'estopped');
}

describe.skipIf(noMosquitto)('the loss of the broker stops nothing (needs mosquitto)', () => {
  it('when it is killed and comes back', async () => {
    const broker = await Mosquitto.start();
    const rig = await Rig.start({ broker });
    await rig.robot.stand();
    const operator = await rig.operator();
    expect(operator.state).toMatchObject({ online: true, state: 'running', recording: { on: true, problem: '' } });

    await broker.kill();
    await rig.robot.status('the ear is deaf', ({ counters }) => (counters['estopClient.failures'] ?? 0) > 0);
    await isUntroubled(rig);
    const { 'estopClient.connections': before = 0 } = await rig.counters();
    await broker.start();
    await rig.robot.status('the ear hears again', ({ counters }) => {
      return (counters['estopClient.connections'] ?? 0) > before;
    });
    await isReachable(rig, broker);
  });

  it('when it is not there at the start, then accepts connections and never says a word, and then comes', async () => {
    const broker = await Mosquitto.reserve();
    const sockets: Socket[] = [];
    const mute = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => socket.destroy());
      socket.resume();
    });
    const close = async () => {
      for (const socket of sockets) socket.destroy();
      if (mute.listening) await new Promise((resolve) => mute.close(resolve));
    };
    onTestFinished(close);

    const rig = await Rig.start({ broker });
    await rig.robot.stand();
    await isUntroubled(rig);
    mute.listen(broker.port, '127.0.0.1');
    await until('control and gateway wait for its first word', () => sockets.length >= 2);
    await isUntroubled(rig);
    expect((await rig.counters())['estopClient.connections']).toBe(0);

    await close();
    await broker.start();
    await isReachable(rig, broker);
  });
});
