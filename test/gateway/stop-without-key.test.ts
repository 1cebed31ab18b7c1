import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { BrokerClient } from '../../src/commands/broker-client.ts';
import { generateKeyPair, writePrivateKey } from '../../src/keys/key-pair.ts';
import { accessBroker } from '../../src/messages/broker-config.ts';
import type { EventMessage } from '../../src/messages/mqtt.ts';
import { h2oEdge, lastLine, STAND, temporaryFolder, until } from '../harness.ts';
import { noMosquitto } from './mosquitto.ts';
import { Rig, ROBOT } from './rig.ts';
import { type ClientFiles, SecureMosquitto } from './secure-mosquitto.ts';

const FILES = { username: '', passwordFile: '', caFile: '', certFile: '', keyFile: '' };

/** A robot over TLS, with a certificate of its own, that stands. */
async function standing(broker: SecureMosquitto): Promise<Rig> {
  const robotFiles = await broker.issue('robot', ROBOT);
  const rig = await Rig.start({ broker: { url: broker.url, robotFiles } });
  await rig.robot.status('the ear is up', ({ counters }) => counters['estopClient.connections'] === 1);
  await rig.robot.stand();
  return rig;
}

async function operatorOf(broker: SecureMosquitto, files: ClientFiles): Promise<BrokerClient> {
  const client = await BrokerClient.connect({ ...accessBroker({ ...FILES, ...files, url: broker.url }), robot: ROBOT });
  onTestFinished(() => client.close());
  await until('the robot is on the broker', () => client.state?.online === true);
  return client;
}

describe.skipIf(noMosquitto)('over TLS, with the mosquitto configuration that ships (needs mosquitto)', () => {
  it('an operator with a certificate and no key that the robot trusts stops it, and cannot start it', async () => {
    const broker = await SecureMosquitto.start();
    const rig = await standing(broker);
    const { robot } = rig;
    const files = await broker.issue('operator', 'anna');
    const operator = await operatorOf(broker, files);
    const events: EventMessage[] = [];
    await operator.watch(
      () => {},
      () => {},
      (event) => events.push(event),
    );

    const certificate = ['--cert-file', files.certFile, '--ca-file', files.caFile];
    const stopped = await rig.remotely('estop', '--json', ...certificate);
    expect(stopped.stderr).toBe('');
    expect(lastLine(stopped)).toMatchObject({ ok: true, confirmed: true, onDisk: true });
    await robot.truth('torque off', ({ state }) => state === 'estopped');

    // A key there is, but this robot was never told to trust it.
    const key = join(temporaryFolder(), 'anna.pem');
    const { privateKey } = generateKeyPair();
    writePrivateKey(key, privateKey);
    for (const words of [['reset'], ['mode', 'standing-still']]) {
      const refused = await rig.remotely(...words, ...certificate, '--key', key);
      expect(refused.code).toBe(1);
      expect(refused.stderr).toMatch(/unknown-key.*requestRefused/s);
    }
    await robot.simulator.wait(0.2);
    expect(await robot.control.status()).toMatchObject({ state: 'estopped', estop: { latched: true } });
    expect((await robot.simulator.truth()).state).toBe('estopped');

    // Nor after somebody with a key has undone the stop.
    await robot.reset();
    await robot.lift();
    await expect(operator.command({ name: 'mode', mode: STAND }, privateKey)).rejects.toThrow('unknown-key');
    await robot.simulator.wait(0.2);
    expect((await robot.control.status()).state).toBe('disarmed');
    expect((await robot.simulator.truth()).state).toBe('idle');
    // Everybody can see that it was tried: in the log, and over MQTT.
    await until(
      'the refusals are told',
      () => events.filter(({ event, reason }) => event === 'command-refused' && reason === 'unknown-key').length === 3,
    );
    expect(robot.log).toContain('unknown-key');

    // With a key that it trusts the same connection starts it.
    await operator.command({ name: 'mode', mode: STAND }, robot.operator);
    await robot.truth('it stands', ({ state }) => state === 'active');
  });

  it('anybody without a certificate stops it, sees that it is stopped, and can do nothing else', async () => {
    const broker = await SecureMosquitto.start();
    const rig = await standing(broker);
    const { robot } = rig;
    const anyone = (...words: string[]) =>
      h2oEdge([...words, '--broker', broker.stopUrl, '--robot', ROBOT], temporaryFolder());

    const refused = await anyone('mode', 'standing-still', '--key', rig.operatorKey);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/the broker does not let us publish on "challenge".*--cert-file.*requestRefused/s);
    expect((await anyone('mode', 'disarmed')).stderr).toMatch(/requestRefused/);
    expect((await robot.control.status()).state).toBe('running');

    const stopped = await anyone('estop', '--json');
    expect(stopped.stderr).toBe('');
    expect(lastLine(stopped)).toMatchObject({ ok: true, confirmed: true, onDisk: true });
    expect((await robot.simulator.truth()).state).toBe('estopped');
    expect((await robot.control.status()).estop.source).toMatch(/^MQTT/);
  });

  it("control's own ear hears over TLS when the gateway is dead; without the open port only certificates stop", async () => {
    const broker = await SecureMosquitto.start({ anyoneMayStop: false });
    const rig = await standing(broker);
    const { robot } = rig;
    await rig.gateway?.kill();
    await expect(broker.client()).rejects.toThrow('ECONNREFUSED');

    // Another robot may stop it too: stopping is for everybody.
    const other = await broker.client(await broker.issue('robot', 'another-robot'));
    await other.publishAsync(`h2o/v1/${ROBOT}/estop`, 'stop', { qos: 1 });
    await robot.truth('torque off', ({ state }) => state === 'estopped');
    expect((await robot.control.status()).estop).toMatchObject({ latched: true });
  });
});
