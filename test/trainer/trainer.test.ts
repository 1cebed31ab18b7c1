import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { trustEntry, trustStoreOf } from '../../src/keys/trust-store.ts';
import { ChunkMap } from '../../src/messages/bulk/chunk-map.ts';
import { type PolicyOffer, policyChunkHeader, policyOffer, topic, trainerTopic } from '../../src/messages/mqtt.ts';
import { vetBundle } from '../../src/policy/vet.ts';
import { crc32 } from '../../src/protocol/crc32.ts';
import { loadRobot } from '../../src/robot/robot.ts';
import { Mosquitto, noMosquitto } from '../gateway/mosquitto.ts';
import { h2oEdge, lastLine, until } from '../harness.ts';
import { client, POLICY, ROBOT, TASK, TestTrainer } from './bench-trainer.ts';

describe.skipIf(noMosquitto)('a trainer (needs mosquitto)', () => {
  it('that is killed in a training goes on, publishes once, and offers again at a broker that forgot', async () => {
    const broker = await Mosquitto.start();
    const trainer = new TestTrainer(broker.url);
    await trainer.stock(0, 700);
    trainer.start();
    await until(
      'it trains',
      () => trainer.jobs().length === 1 && trainer.checkpoints(trainer.jobs()[0] ?? '').length > 0,
    );
    const [id = ''] = trainer.jobs();
    await trainer.kill();
    expect(trainer.job(id)).toMatchObject({ stage: 'training', attempt: 1, end: null });
    trainer.start();

    const robot = await client(broker.url);
    const offers: PolicyOffer[] = [];
    const chunks = new Map<number, Buffer>();
    robot.on('message', (on, payload, packet) => {
      if (on === topic(ROBOT, 'policyOffer')) offers.push(policyOffer.parse(JSON.parse(payload.toString())));
      else if (on === topic(ROBOT, 'policyChunk')) {
        const { n, crc32: sum } = policyChunkHeader.parse(packet.properties?.userProperties);
        expect(sum).toBe(crc32(payload).toString(16).padStart(8, '0'));
        chunks.set(Number(n), payload);
      }
    });
    await robot.subscribeAsync([topic(ROBOT, 'policyOffer'), topic(ROBOT, 'policyChunk')], { qos: 1 });
    await trainer.ended();
    const offer = await until('it is offered', () => offers[0]);
    expect(offer).toMatchObject({ from: 'lab', id: POLICY, version: 1 });
    expect(trainer.job(id)).toMatchObject({
      attempt: 2,
      steps: 300,
      end: { outcome: 'published', offeredTo: [ROBOT] },
    });
    expect(trainer.jobs()).toEqual([id]);
    expect(trainer.versions()).toEqual(['1']);

    const want = { schema: 1, to: 'lab', id: POLICY, version: 1, sha256: offer.model.sha256, attempt: 0 };
    const have = ChunkMap.of(Array<boolean>(offer.chunks).fill(false)).toString();
    expect(ChunkMap.parse(have, offer.chunks)?.toArray()).toHaveLength(offer.chunks);
    await robot.publishAsync(topic(ROBOT, 'policyWant'), JSON.stringify({ ...want, have }), { qos: 1 });
    await until('all chunks have come', () => chunks.size === offer.chunks);
    const model = Buffer.concat([...chunks].sort(([a], [b]) => a - b).map(([, chunk]) => chunk));
    expect(createHash('sha256').update(model).digest('hex')).toBe(offer.model.sha256);

    // A robot that trusts the key takes it.
    const entry = trustEntry(trainer.key.publicKey, 'release', 'lab');
    const trust = trustStoreOf([entry]);
    const bundle = join(trainer.kept, 'policies', POLICY, '1');
    const vetted = await vetBundle(bundle, { robot: loadRobot('wheel-legged'), trust, now: Date.now() });
    expect(vetted.reasons).toEqual([]);
    expect(
      JSON.parse(readFileSync(join(trainer.kept, 'policies', POLICY, '1', 'manifest.json'), 'utf8')),
    ).toMatchObject({
      id: POLICY,
      version: 1,
      training: { trainer: 'lab', job: id, steps: 300, recorded: { rows: 700, robots: [ROBOT] } },
    });

    offers.length = 0;
    await broker.kill();
    await broker.start();
    await until('it is offered again', () => offers.length > 0);
    expect(offers[0]?.model).toEqual(offer.model);
    const told = { id: POLICY, version: 1, sha256: offer.model.sha256, stage: 'refused', reasons: ['slow'], since: 1 };
    const status = { schema: 1, at: 1, slots: [], versions: [told] };
    await robot.publishAsync(topic(ROBOT, 'policyStatus'), JSON.stringify(status), { qos: 1, retain: true });
    await until('it tells what the robot says', async () => {
      const state = await h2oEdge(['trainer', 'status', ...trainer.config, '--json']);
      if (state.code !== 0) return false;
      const [first] = lastLine(state).offers as { robots: { stage: string; reasons: string[] }[] }[];
      return first?.robots[0]?.stage === 'refused' && first.robots[0].reasons[0] === 'slow';
    });
  });

  it('refuses what cannot be trained, keeps what is not good enough to itself, and can be told to stop', async () => {
    const broker = await Mosquitto.start();
    const gate = { evaluations: [{ dynamics: 'simulator', seeds: 1, seconds: 1, atLeast: { meanReturn: 1e9 } }] };
    const trainer = new TestTrainer(broker.url, { newRows: 0, steps: 60, gate });
    await trainer.stock(0, 200);
    const running = trainer.start();
    const order = (...words: string[]) => h2oEdge(['trainer', ...words, ...trainer.config]);
    await until('it is there', async () => (await order('status')).code === 0);
    const few = await order('train', TASK);
    expect(few).toMatchObject({ code: 1, stderr: expect.stringContaining('200 rows') });
    expect((await order('train', 'moving-straight')).stderr).toContain('not trained here');
    expect((await order('offer', POLICY)).stderr).toContain('never published');
    expect(trainer.jobs()).toEqual([]);
    const gone = new Promise((resolve) => running.once('close', resolve));
    running.kill('SIGTERM');
    await gone;
    expect(lastLine(await order('status', '--json'))).toMatchObject({ online: false });

    await trainer.stock(200, 400);
    trainer.start();
    const asker = await client(broker.url);
    const answers: string[] = [];
    asker.on('message', (_, payload) => answers.push(payload.toString()));
    const responseTopic = `${trainerTopic('lab', 'trainerResponse')}/me`;
    await asker.subscribeAsync(responseTopic, { qos: 1 });
    const words = JSON.stringify({ schema: 1, id: 'once', do: 'train', task: TASK });
    const send = () =>
      asker.publishAsync(trainerTopic('lab', 'trainerOrder'), words, { qos: 1, properties: { responseTopic } });
    await until('it is online', async () => lastLine(await order('status', '--json')).online === true);
    await send();
    await send();
    await until('both are answered', () => answers.length === 2);
    expect(answers[0]).toBe(answers[1]);
    await trainer.ended();
    expect(trainer.job(trainer.jobs()[0] ?? '').end).toMatchObject({
      outcome: 'not-good-enough',
      reason: expect.stringContaining('meanReturn'),
    });
    expect(trainer.versions()).toEqual([]);
    await until('it tells so', async () => {
      const { last, offers } = lastLine(await order('status', '--json')) as {
        last: { outcome: string } | null;
        offers: [];
      };
      return last?.outcome === 'not-good-enough' && offers.length === 0;
    });
    expect(trainer.jobs()).toHaveLength(1);
  });
});
