import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ChunkMap } from '../../messages/bulk/chunk-map.ts';
import { modelsDirectory } from '../../robot/robot.ts';
import type { DurableFiles } from '../durable-files.ts';
import type { Fate, Sent } from '../trainer-connection.ts';
import { OfferBook } from './offer-book.ts';
import { PolicyPublisher } from './policy-publisher.ts';
import { type PolicyFiles, PolicyShelf } from './policy-shelf.ts';

const ID = 'standing-still-balancer';
const CHUNK = 128 * 1024;

function rig(bytes = 7 * CHUNK + 5) {
  const kept = new Map<string, string>();
  const files: DurableFiles = {
    read: (path) => kept.get(path),
    write: (path, text) => void kept.set(path, text),
    place: () => {},
    list: () => [],
  };
  const folder = join(modelsDirectory, 'policies', ID);
  const manifestText = readFileSync(join(folder, 'manifest.json'), 'utf8');
  const model = Buffer.alloc(bytes, 7);
  const manifest = JSON.parse(manifestText);
  manifest.model.bytes = bytes;
  const stored: PolicyFiles = { manifest, manifestText, signatureText: '{}', model };
  const shelf = new PolicyShelf(files, '/p');
  shelf.read = () => stored;
  const offers = new OfferBook(files, '/offers.json');
  offers.set({ id: ID, version: 1 }, ['r1', 'r2']);
  const sent: { topic: string; properties: Sent['properties'] }[] = [];
  const refused: string[] = [];
  const clock = { now: 0, fate: 'taken' as Fate, connected: true };
  const port = {
    get connected() {
      return clock.connected;
    },
    publish: async (topic: string, _: string | Buffer, options: Sent = {}) => {
      sent.push({ topic, properties: options.properties });
      return clock.fate;
    },
  };
  const publisher = new PolicyPublisher({
    trainer: 'lab',
    offers,
    shelf,
    port,
    bulk: port,
    mayHave: (robot) => robot !== 'stranger',
    kilobytesPerSecond: 100,
    onChange: () => {},
    onRefused: (what, why) => refused.push(`${what}: ${why}`),
    now: () => clock.now,
    wait: async (milliseconds) => {
      clock.now += milliseconds;
    },
  });
  const want = (robot: string, changes: object = {}) =>
    publisher.onWant(robot, {
      schema: 1,
      to: 'lab',
      id: ID,
      version: 1,
      sha256: manifest.model.sha256,
      have: ChunkMap.of([false, true, false, false, false, false, false, false]).toString(),
      attempt: 0,
      ...changes,
    });
  return { publisher, sent, refused, clock, want };
}

it('sends each robot what it lacks, in turn, no faster than it may', async () => {
  const { publisher, sent, clock, want } = rig();
  want('r1');
  want('r2');
  for (let turn = 0; turn < 100 && publisher.counters.chunks < 14; turn++) await new Promise(setImmediate);
  await publisher.stop();
  const of = (robot: string) =>
    sent.filter(({ topic }) => topic === `h2o/v1/${robot}/policy/chunk`).map(({ properties }) => properties?.n);
  expect(of('r1')).toEqual(['0', '2', '3', '4', '5', '6', '7']);
  expect(of('r2')).toEqual(['0', '2', '3', '4', '5', '6', '7']);
  const robots = sent.map(({ topic }) => topic.split('/')[2]);
  expect(robots.indexOf('r2')).toBeLessThan(robots.lastIndexOf('r1') - 3);
  // What was sent before the last one, at 100 bytes a millisecond.
  expect(clock.now).toBeCloseTo((12 * CHUNK + 5) / 100, 3);
});

it('sends nothing to whom it is not offered, nor what is not on offer, and says why', () => {
  const { sent, refused, want, publisher } = rig();
  want('r3');
  want('stranger');
  want('r1', { version: 2 });
  want('r1', { sha256: '0'.repeat(64) });
  want('r1', { have: '//8A' });
  want('r1', { to: 'another' });
  expect(sent).toEqual([]);
  expect(publisher.counters.ignored).toBe(6);
  const whys = [/r3.*not offered/, /stranger.*may not/, /not on offer/, /another model/, /map/];
  expect(refused).toHaveLength(whys.length);
  for (const [index, why] of whys.entries()) expect(refused[index]).toMatch(why);
});

it('offers until the robot speaks of it, at once when it comes back, and not without a broker', () => {
  const { publisher, sent, clock } = rig();
  clock.connected = false;
  publisher.offerDue();
  expect(sent).toHaveLength(0);
  clock.connected = true;
  publisher.offerDue();
  publisher.offerDue();
  expect(sent).toHaveLength(2);
  clock.now += 30_000;
  publisher.offerDue();
  expect(sent).toHaveLength(4);
  publisher.heard('r1');
  expect(sent).toHaveLength(5);
  const told = { id: ID, version: 1, sha256: '0'.repeat(64), stage: 'verified' as const, reasons: [], since: 1 };
  publisher.onStatus('r1', { schema: 1, at: 1, slots: [], versions: [told] });
  clock.now += 3_600_000;
  publisher.offerDue();
  expect(sent.slice(5).map(({ topic }) => topic)).toEqual(['h2o/v1/r2/policy/offer']);
  expect(publisher.describe()[0]?.told).toMatchObject([{ stage: 'verified' }, { stage: 'unheard' }]);
});
