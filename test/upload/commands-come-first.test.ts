import { describe, expect, it } from 'vitest';
import { Mosquitto, noMosquitto } from '../gateway/mosquitto.ts';
import { Rig } from '../gateway/rig.ts';
import { temporaryFolder, until } from '../harness.ts';
import { Receiver, segmentsIn } from './parties.ts';

describe.skipIf(noMosquitto)('while a robot uploads (needs mosquitto)', () => {
  it('telemetry comes, questions are answered and it is stopped, long before the upload has ended', async () => {
    const broker = await Mosquitto.start();
    const rig = await Rig.start({ broker, gateway: false, config: { upload: UPLOAD } });
    const sent = await segmentsIn(rig.recordings, 4, 6000);
    rig.startGateway();
    const receiver = new Receiver(broker.url, 'lab', temporaryFolder());
    const listener = await rig.listener();
    await receiver.receivesMore();
    const heard = () => listener.heard.filter(({ on }) => on === 'telemetry').length;
    const before = heard();
    await receiver.receivesMore();
    await until('telemetry', () => heard() > before);
    expect(await listener.ask('command', { schema: 1, id: 'x', request: 'status' })).toMatchObject({ ok: true });
    await listener.say('estop', '{"source":"test","id":"s1"}', { qos: 1 });
    await listener.event('estop-stage', ({ stage }) => stage === 'latched');
    await receiver.receivesMore();
    expect(receiver.latest?.stored.length).toBeLessThan(sent.size);
  });
});

const UPLOAD = { enabled: true, kilobytesPerSecond: 300, keep: 0, trainers: [] };
