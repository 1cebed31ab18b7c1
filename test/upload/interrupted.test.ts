import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Random } from '../../src/random.ts';
import { sha256Of } from '../../src/trainer/store/read-segment.ts';
import { Mosquitto, noMosquitto } from '../gateway/mosquitto.ts';
import { temporaryFolder, until } from '../harness.ts';
import { canMount, withDisk } from '../recording/processes.ts';
import { Receiver, Sender, segmentsIn } from './parties.ts';

/** That these segments are in a store, whole, once, and nothing else. */
async function expectStored(directory: string, sent: ReadonlyMap<string, Buffer>): Promise<void> {
  const folder = join(directory, 'segments');
  const stored = readdirSync(folder);
  expect(stored).toHaveLength(sent.size);
  const bytes = stored.map((name) => readFileSync(join(folder, name)));
  for (const [name, original] of sent)
    expect(
      bytes.filter((one) => one.equals(original)),
      name,
    ).toHaveLength(1);
  for (const name of stored) expect(`${await sha256Of(join(folder, name))}.mcap`).toBe(name);
}

describe.skipIf(noMosquitto)('an upload (needs mosquitto)', () => {
  it('goes on after broker, gateway and trainer were killed in the middle of it', async () => {
    const broker = await Mosquitto.start();
    const sender = new Sender(broker.url, { kilobytesPerSecond: 500 });
    const sent = await segmentsIn(sender.recordings, 4, 3000);
    sender.start();
    const store = temporaryFolder();
    let receiver = new Receiver(broker.url, 'lab', store);
    await receiver.receivesMore();
    await broker.kill();
    await broker.start();
    await receiver.receivesMore();
    await sender.gateway?.kill();
    sender.start();
    await receiver.receivesMore();
    await receiver.kill();
    receiver = new Receiver(broker.url, 'lab', store);
    await until('all is acknowledged', () => sender.acknowledged.length === sent.size);
    await expectStored(store, sent);
  });

  it('goes to one of two trainers, each segment to one', async () => {
    const broker = await Mosquitto.start();
    const sender = new Sender(broker.url, { kilobytesPerSecond: 0 });
    const sent = await segmentsIn(sender.recordings, 4, 1000);
    const stores = [temporaryFolder(), temporaryFolder()];
    const receivers = stores.map((store, index) => new Receiver(broker.url, `lab-${index}`, store));
    sender.start();
    await until('all is acknowledged', () => sender.acknowledged.length === sent.size);
    for (const receiver of receivers) receiver.process.kill('SIGTERM');
    const files = stores.flatMap((store) => readdirSync(join(store, 'segments')));
    expect(files).toHaveLength(sent.size);
    expect(new Set(files).size).toBe(sent.size);
  });

  it.skipIf(!canMount)("waits while the trainer's disk is full, and goes on by itself (needs a mount)", async () => {
    const broker = await Mosquitto.start();
    const sender = new Sender(broker.url, { kilobytesPerSecond: 0 });
    const sent = await segmentsIn(sender.recordings, 3, 2000);
    const store = temporaryFolder();
    const receiver = new Receiver(broker.url, 'lab', store, withDisk(4, store));
    await receiver.said('it is up', () => true);
    const disk = `/proc/${receiver.process.pid}/root${store}`;
    const filler = join(disk, 'filler');
    writeFileSync(filler, Buffer.alloc(3_800_000, 1));
    sender.start();
    await receiver.said('it has no room', ({ state }) => state.problem.includes('no room'));
    expect(sender.acknowledged).toEqual([]);
    rmSync(filler);
    await until('all is acknowledged', () => sender.acknowledged.length === sent.size);
    await expectStored(disk, sent);
  });

  it('survives somebody between robot and trainer who loses, doubles, swaps and changes chunks', async () => {
    const [left, right] = [await Mosquitto.start(), await Mosquitto.start()];
    const [robots, trainers] = await Promise.all(
      [left, right].map((broker) => connectAsync(broker.url, { protocolVersion: 5 })),
    );
    if (!robots || !trainers) throw new Error('no client');
    onTestFinished(() => {
      robots.end(true);
      trainers.end(true);
    });
    const random = new Random(7);
    let held: (() => void) | undefined;
    let mangled = 0;
    robots.on('message', (topic, payload, { properties }) => {
      const forward = (bytes = payload) => {
        const userProperties = properties?.userProperties;
        trainers.publish(topic, bytes, { qos: 1, ...(userProperties && { properties: { userProperties } }) });
      };
      const dice = topic.endsWith('/chunk') ? random.uniform() : 1;
      if (dice < 0.4) mangled += 1;
      if (dice < 0.1) return;
      if (dice < 0.2) {
        const flipped = Buffer.from(payload);
        flipped[100] = (flipped[100] ?? 0) ^ 1;
        return forward(flipped);
      }
      if (dice < 0.3) {
        held = forward;
        return;
      }
      forward();
      if (dice < 0.4) forward();
      held?.();
      held = undefined;
    });
    trainers.on('message', (topic, payload, { retain }) => {
      robots.publish(topic, payload, { qos: 1, retain: retain || topic.endsWith('/state') });
    });
    await robots.subscribeAsync(['h2o/v1/robot-1/dataset/offer', 'h2o/v1/trainer/lab/dataset/robot-1/chunk'], {
      qos: 1,
    });
    await trainers.subscribeAsync(
      ['h2o/v1/robot-1/dataset/claim', 'h2o/v1/robot-1/dataset/acknowledge', 'h2o/v1/trainer/lab/state'],
      { qos: 1 },
    );
    const sender = new Sender(left.url, { kilobytesPerSecond: 0 });
    const sent = await segmentsIn(sender.recordings, 2, 6000);
    const store = temporaryFolder();
    const receiver = new Receiver(right.url, 'lab', store);
    sender.start();
    await until('all is acknowledged', () => sender.acknowledged.length === sent.size);
    await expectStored(store, sent);
    expect(mangled).toBeGreaterThan(0);
    expect(receiver.latest?.counters.chunksWrong).toBeGreaterThan(0);
  });
});
