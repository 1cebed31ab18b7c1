import type { KeyObject } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ChunkMap, chunksOf } from '../../src/messages/bulk/chunk-map.ts';
import { type PolicyOffer, type PolicyStatus, type PolicyWant, policyStatus } from '../../src/messages/mqtt.ts';
import { crc32 } from '../../src/protocol/crc32.ts';
import { writeSlowBundle } from '../bundles.ts';
import type { Listener } from '../gateway/listener.ts';
import { Mosquitto, noMosquitto } from '../gateway/mosquitto.ts';
import { Rig, TestGateway } from '../gateway/rig.ts';
import { temporaryFolder, until } from '../harness.ts';

const CHUNK = 64 * 1024;
const BUNDLE = ['manifest.json', 'manifest.sig', 'policy.onnx'];

/** Somebody who offers a large policy and sends chunks as a test says. */
class Sender {
  readonly offer: PolicyOffer;
  readonly #model: Buffer;
  readonly #listener: Listener;

  constructor(folder: string, listener: Listener) {
    const text = (name: string) => readFileSync(join(folder, name), 'utf8');
    this.#listener = listener;
    this.#model = readFileSync(join(folder, 'policy.onnx'));
    const manifest = text('manifest.json');
    const { id, version, model } = JSON.parse(manifest);
    const { sha256, bytes } = model;
    const chunks = chunksOf(bytes, CHUNK);
    const rest = { manifest, signature: text('manifest.sig'), model: { sha256, bytes }, chunkBytes: CHUNK, chunks };
    this.offer = { schema: 1, from: 'lab', id, version, ...rest };
  }

  async offers(): Promise<void> {
    await this.#listener.say('policy/offer', JSON.stringify(this.offer), { qos: 1, retain: true });
  }

  get wants(): PolicyWant[] {
    return this.#listener.heard
      .filter(({ on }) => on === 'policy/want')
      .map(({ payload }) => JSON.parse(payload.toString()));
  }

  /** Waits for another question than those that were asked before. @returns which chunks the robot has */
  async asked(before: number): Promise<boolean[]> {
    const want = await until('the robot asks', () => (this.wants.length > before ? this.wants.at(-1) : undefined));
    return ChunkMap.parse(want.have, this.offer.chunks)?.toArray() ?? [];
  }

  async sends(n: number, change: (bytes: Buffer) => Buffer = (bytes) => bytes): Promise<void> {
    const bytes = Buffer.from(this.#model.subarray(n * CHUNK, (n + 1) * CHUNK));
    const crc = crc32(bytes).toString(16).padStart(8, '0');
    const userProperties = { sha256: this.offer.model.sha256, n: String(n), crc32: crc };
    await this.#listener.say('policy/chunk', change(bytes), { qos: 1, properties: { userProperties } });
  }

  get status(): PolicyStatus['versions'][number] | undefined {
    const last = this.#listener.heard.findLast(({ on }) => on === 'policy/status');
    if (!last) return undefined;
    const { versions } = policyStatus.parse(JSON.parse(last.payload.toString()));
    return versions.find(({ id, version }) => id === this.offer.id && version === this.offer.version);
  }
}

async function start() {
  const broker = await Mosquitto.start();
  let release: KeyObject | undefined;
  const rig = await Rig.start({
    broker,
    gateway: false,
    bundles: (_, key) => {
      release = key;
    },
  });
  if (!release) throw new Error('no key');
  const folder = temporaryFolder();
  // As large as a megabyte of weights makes it.
  await writeSlowBundle(folder, 'large', 0.01, release);
  const listener = await rig.listener();
  const sender = new Sender(join(folder, 'large'), listener);
  const incoming = join(rig.robot.folder, 'state', 'policies', 'incoming');
  /** Whatever has a plain name is whole. */
  const nothingHalf = () => {
    for (const name of readdirSync(incoming).filter((one) => !/\.(part|new)$/.test(one))) {
      expect(readdirSync(join(incoming, name)).sort()).toEqual(BUNDLE);
    }
  };
  return { broker, rig, listener, sender, incoming, nothingHalf };
}

describe.skipIf(noMosquitto)('a policy on its way (needs mosquitto)', () => {
  it('outlives the gateway and the broker, and chunks that are broken, doubled, disordered or missing', async () => {
    const { broker, rig, sender, incoming, nothingHalf } = await start();
    rig.startGateway();
    await sender.offers();
    expect((await sender.asked(0)).some(Boolean)).toBe(false);
    const { chunks } = sender.offer;
    expect(chunks).toBeGreaterThan(8);
    await sender.sends(4);
    await sender.sends(1);
    await sender.sends(1);
    await sender.sends(2, (bytes) => bytes.fill(~(bytes[0] ?? 0) & 0xff, 0, 1));
    await sender.sends(3, (bytes) => bytes.subarray(7));
    // What has a name may still be on its way to the disk; what is told is there.
    const have = () => sender.status?.chunks?.have;
    await until('two are kept', () => have() === 2);
    nothingHalf();

    let asked = sender.wants.length;
    await rig.gateway?.kill();
    rig.startGateway();
    const afterKill = await sender.asked(asked);
    expect(afterKill.flatMap((there, n) => (there ? [n] : []))).toEqual([1, 4]);

    await sender.sends(0);
    await until('three are kept', () => have() === 3);
    asked = sender.wants.length;
    await broker.kill();
    await broker.start();
    // Nobody offers it again: the robot asks by itself.
    const afterBroker = await sender.asked(asked);
    expect(afterBroker.flatMap((there, n) => (there ? [n] : []))).toEqual([0, 1, 4]);
    nothingHalf();

    const rest = Array.from({ length: chunks }, (_, n) => n).filter((n) => !afterBroker[n]);
    for (const n of rest.toReversed()) await sender.sends(n);
    await until('control has it', () => sender.status?.stage === 'eligible');
    await until('nothing is left', () => readdirSync(incoming).length === 0);

    // Killed when all is done: what is told is told again, and nothing is fetched again.
    asked = sender.wants.length;
    await rig.gateway?.kill();
    rig.startGateway();
    await sender.offers();
    await rig.operator();
    await until('it is told again', () => sender.status?.stage === 'eligible');
    expect(sender.wants.length).toBe(asked);
    expect(readdirSync(incoming)).toEqual([]);
  });

  it('waits for room on the disk, and says so', async () => {
    const { rig, sender, incoming, nothingHalf } = await start();
    // Chunks fit, the whole model does not: files may not grow longer.
    const gateway = new TestGateway(rig.robot.configPath, ['prlimit', '--fsize=300000']);
    rig.gateway = gateway;
    await sender.offers();
    await sender.asked(0);
    for (let n = 0; n < sender.offer.chunks; n++) await sender.sends(n);
    await until('it says that the disk is full', () => /^disk: the disk is full/.test(sender.status?.reasons[0] ?? ''));
    nothingHalf();
    expect(sender.status?.stage).toBe('offered');
    await gateway.kill();
    rig.startGateway();
    await until('control has it', () => sender.status?.stage === 'eligible');
    await until('nothing is left', () => readdirSync(incoming).length === 0);
  });
});
