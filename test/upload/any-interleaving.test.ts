import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { rowAt, writeSegment } from '../../src/dataset/segments/segments.testing.ts';
import { SegmentOutbox } from '../../src/gateway/upload/outbox.ts';
import { Uploader } from '../../src/gateway/upload/uploader.ts';
import type { BulkPort, Published, PublishOptions } from '../../src/messages/bulk/bulk-connection.ts';
import { crcText } from '../../src/messages/bulk/chunk-map.ts';
import { crc32 } from '../../src/protocol/crc32.ts';
import { acknowledgementOf } from '../../src/recording/acknowledged.ts';
import type { RecorderClock } from '../../src/recording/clock.ts';
import { VirtualClock } from '../../src/recording/recording.testing.ts';
import { Intake } from '../../src/trainer/intake/intake.ts';
import { sha256Of } from '../../src/trainer/store/read-segment.ts';
import { SegmentStore } from '../../src/trainer/store/segment-store.ts';

const ROBOT = 'robot-1';
const STATE = 'h2o/v1/trainer/lab/state';
/** Small chunks, so that a small segment has some: the broker takes no longer packets. */
const LONGEST_PAYLOAD = 16 * 1024 + 512;

/** What becomes of the next message, or of a side. */
const FATES = ['deliver', 'deliver', 'deliver', 'lose', 'twice', 'late', 'flip', 'flip-with-crc'] as const;
const EVENTS = ['robot-crashes', 'trainer-crashes', 'broker-dies', 'time-passes', 'claim-expires'] as const;
type Step = (typeof FATES)[number] | (typeof EVENTS)[number];

interface Message {
  readonly topic: string;
  readonly payload: Buffer;
  readonly properties: Readonly<Record<string, string>>;
}

let sources: { file: string; bytes: Buffer; sha256: string }[] = [];

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'h2o-upload-'));
  for (const first of [1, 1000]) {
    await writeSegment(
      folder,
      Array.from({ length: 350 }, (_, index) => rowAt(first + index)),
    );
  }
  sources = [];
  for (const file of readdirSync(folder).sort()) {
    sources.push({ file, bytes: readFileSync(join(folder, file)), sha256: await sha256Of(join(folder, file)) });
  }
  rmSync(folder, { recursive: true });
});

/** A robot and a trainer between whom anything happens to messages, and who crash. */
class World {
  readonly clock = new VirtualClock();
  readonly folder = mkdtempSync(join(tmpdir(), 'h2o-upload-'));
  readonly recordings = join(this.folder, 'recordings');
  readonly queue: Message[] = [];
  readonly late: Message[] = [];
  #robotLife = { alive: false };
  #trainerLife = { alive: false };
  uploader: Uploader | undefined;
  intake: Intake | undefined;
  store: SegmentStore | undefined;
  /** acknowledgements of what was not there */
  lies = 0;

  static async begin(): Promise<World> {
    const world = new World();
    mkdirSync(world.recordings);
    for (const { file, bytes } of sources) writeFileSync(join(world.recordings, file), bytes);
    await world.startTrainer();
    world.startRobot();
    return world;
  }

  #clockOf(life: { alive: boolean }, wallOffsetMs: number): RecorderClock {
    const { clock } = this;
    return {
      wallNs: () => clock.wallNs() + BigInt(wallOffsetMs) * 1_000_000n,
      monotonicMs: () => clock.monotonicMs(),
      after: (delay, action) => clock.after(delay, () => life.alive && action()),
    };
  }

  #portOf(life: { alive: boolean }): BulkPort {
    return {
      connected: true,
      longestPayload: LONGEST_PAYLOAD,
      window: 4,
      publish: async (topic, payload, options = {}) => (life.alive ? this.#publish(topic, payload, options) : 'lost'),
    };
  }

  #publish(topic: string, payload: string | Buffer, { properties = {} }: PublishOptions): Published {
    const message = { topic, payload: Buffer.from(payload), properties };
    if (topic.endsWith('/acknowledge')) this.#checkAcknowledgement(message);
    if (topic.endsWith('/status')) return 'taken';
    this.queue.push(message);
    return 'taken';
  }

  #checkAcknowledgement({ payload }: Message): void {
    const { sha256 } = JSON.parse(payload.toString());
    const source = sources.find((one) => one.sha256 === sha256);
    const path = this.store?.pathOf(sha256) ?? '';
    if (!source || !existsSync(path) || !readFileSync(path).equals(source.bytes)) this.lies += 1;
  }

  startRobot(): void {
    const life = { alive: true };
    this.#robotLife = life;
    this.uploader = new Uploader({
      robot: ROBOT,
      port: this.#portOf(life),
      // A day ahead of the trainer.
      outbox: new SegmentOutbox({ directory: this.recordings, wall: () => Date.now() + 86_400_000 }),
      clock: this.#clockOf(life, 86_400_000),
      kilobytesPerSecond: 0,
      trainers: [],
      onStatus: () => {},
    });
    this.uploader.start();
    this.#hello();
  }

  /** The broker's retained state of the trainer. */
  #hello(): void {
    const payload = Buffer.from('{"schema":1,"online":true}');
    this.uploader?.handle({ topic: STATE, payload, retain: true, properties: {} });
  }

  async startTrainer(): Promise<void> {
    const life = { alive: true };
    this.#trainerLife = life;
    this.store = await SegmentStore.open(join(this.folder, 'store'));
    this.intake = new Intake({
      trainer: 'lab',
      store: this.store,
      port: this.#portOf(life),
      clock: this.#clockOf(life, 0),
      leaveFreeBytes: 0,
    });
    this.intake.start();
  }

  async do(step: Step): Promise<void> {
    switch (step) {
      case 'robot-crashes':
        this.#robotLife.alive = false;
        await this.uploader?.stop();
        this.startRobot();
        break;
      case 'trainer-crashes':
        this.#trainerLife.alive = false;
        await this.intake?.idle();
        await this.store?.close();
        await this.startTrainer();
        break;
      case 'broker-dies':
        this.queue.length = 0;
        this.uploader?.lost();
        this.uploader?.connected();
        this.#hello();
        break;
      case 'time-passes':
        this.clock.advance(1500);
        break;
      case 'claim-expires':
        this.clock.advance(31_000);
        break;
      default:
        this.#fate(step);
    }
    await this.settle();
  }

  #fate(fate: (typeof FATES)[number]): void {
    const message = this.queue.shift();
    if (!message) {
      this.clock.advance(500);
      return;
    }
    if (fate === 'lose') return;
    if (fate === 'late') {
      this.late.push(message);
      return;
    }
    const flipped = Buffer.from(message.payload);
    flipped[flipped.length >> 1] = (flipped[flipped.length >> 1] ?? 0) ^ 4;
    if (fate === 'flip') this.deliver({ ...message, payload: flipped });
    else if (fate === 'flip-with-crc') {
      const properties = { ...message.properties, crc32: crcText(crc32(flipped)) };
      this.deliver(message.topic.endsWith('/chunk') ? { ...message, payload: flipped, properties } : message);
    } else this.deliver(message);
    if (fate === 'twice') this.deliver(message);
    // What was late comes behind something else.
    for (const one of this.late.splice(0)) this.deliver(one);
  }

  deliver(message: Message): void {
    const toTrainer = message.topic.endsWith('/chunk') || message.topic.endsWith('/offer');
    (toTrainer ? this.intake : this.uploader)?.handle({ ...message, retain: false });
  }

  async settle(): Promise<void> {
    for (let turns = 0; turns < 3; turns++) await turn();
    await this.intake?.idle();
  }

  get done(): boolean {
    return sources.every(({ file }) => existsSync(join(this.recordings, acknowledgementOf(file))));
  }

  async end(): Promise<void> {
    this.#robotLife.alive = false;
    this.#trainerLife.alive = false;
    await this.uploader?.stop();
    await this.intake?.stop();
    await this.store?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

describe('whatever is lost, doubled, late, changed or crashes', () => {
  it('every segment ends in the store, once, as it was, and is acknowledged only from then on', async () => {
    const step: fc.Arbitrary<Step> = fc.oneof(
      { weight: 12, arbitrary: fc.constantFrom(...FATES) },
      { weight: 1, arbitrary: fc.constantFrom(...EVENTS) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 80 }), async (steps) => {
        const world = await World.begin();
        try {
          await world.settle();
          for (const one of steps) await world.do(one);
          // From here on nothing is in the way any more, but a refusal may still hold for an hour.
          for (let turns = 0; turns < 6000 && !world.done; turns++) {
            if (world.queue.length > 0) await world.do('deliver');
            else {
              world.clock.advance(turns > 2000 ? 60_000 : 250);
              await delay(1);
              await world.settle();
            }
          }
          expect(world.done).toBe(true);
          expect(world.lies).toBe(0);
          const { store } = world;
          const stored = readdirSync(join(store?.directory ?? '', 'segments')).sort();
          expect(stored).toEqual(sources.map(({ sha256 }) => `${sha256}.mcap`).sort());
          for (const { sha256, bytes, file } of sources) {
            expect(readFileSync(store?.pathOf(sha256) ?? '').equals(bytes)).toBe(true);
            expect(store?.find(ROBOT, file)?.sha256).toBe(sha256);
          }
          expect(store?.listQuarantined()).toEqual([]);
        } finally {
          await world.end();
        }
      }),
      { numRuns: 25 },
    );
  });
});
