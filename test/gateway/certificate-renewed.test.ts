import { copyFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { reasonsOf, until } from '../harness.ts';
import { noMosquitto } from './mosquitto.ts';
import { Rig, ROBOT } from './rig.ts';
import { oldAuthority, SecureMosquitto } from './secure-mosquitto.ts';

describe.skipIf(noMosquitto)('a certificate that is replaced on the robot (needs mosquitto)', () => {
  it('is used by the gateway at its next connection, by control when it is started next, and stops nothing', async () => {
    const broker = await SecureMosquitto.start();
    const files = await broker.issue('robot', ROBOT);
    const rig = await Rig.start({ broker: { url: broker.url, robotFiles: files } });
    const { robot } = rig;
    await robot.status('the ear is up', ({ counters }) => counters['estopClient.connections'] === 1);
    await robot.stand();

    // From now on the broker believes another authority: as if what the robot has were expired.
    const next = await oldAuthority('the next authority');
    const renewed = await broker.issue('robot', ROBOT, { file: 'renewed', authority: next });
    await broker.kill();
    await broker.trust(next);
    await broker.start();
    await until('the gateway says why', () => rig.gateway?.log.includes('an authority that it does not know'));
    await until('and so does control', () =>
      /"state":"waiting","problem":"[^"]*authority that it does not know/.test(robot.log),
    );
    const before = await robot.control.status();
    expect(before).toMatchObject({
      state: 'running',
      broker: { problem: expect.stringContaining('an authority that it does not know') },
    });
    // Sooner or later it warns of that, and does no more than warn.
    const { reasons } = await robot.status('the loss is named', (now) => reasonsOf(now).includes('broker-lost'));
    expect(reasons.every(({ action }) => action === 'warn')).toBe(true);
    expect((await robot.order('status')).stdout).toMatch(/hears no stop over MQTT: the broker refuses our certificate/);

    copyFileSync(renewed.keyFile, files.keyFile);
    copyFileSync(renewed.certFile, files.certFile);
    const operator = await broker.client(await broker.issue('operator', 'anna', { authority: next }));
    const states: string[] = [];
    operator.on('message', (_, payload) => states.push(payload.toString()));
    await operator.subscribeAsync(`h2o/v1/${ROBOT}/state`, { qos: 1 });
    await until('the gateway is back', () => states.some((state) => state.includes('"online":true')));
    const { counters, state } = await robot.control.status();
    expect(state).toBe('running');
    // It reads no files while the robot runs.
    expect(counters['estopClient.connections']).toBe(1);

    await robot.killControl();
    await robot.startControl();
    await robot.status('the ear is up again', (status) => status.counters['estopClient.connections'] === 1);
    await robot.reset();
    await robot.lift();
    await robot.stand();
    await operator.publishAsync(`h2o/v1/${ROBOT}/estop`, 'stop', { qos: 1 });
    await robot.truth('torque off', (truth) => truth.state === 'estopped');
  });
});
