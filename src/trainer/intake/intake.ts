import { messageOf } from '../../errors.ts';
import type { BulkMessage, BulkPort } from '../../messages/bulk/bulk-connection.ts';
import { ChunkMap, chunkLength, chunksOf, crcText } from '../../messages/bulk/chunk-map.ts';
import {
  type DatasetOffer,
  datasetChunkProperties,
  datasetOffer,
  MQTT_SCHEMA,
  parsePayload,
  topic,
} from '../../messages/mqtt.ts';
import { crc32 } from '../../protocol/crc32.ts';
import type { RecorderClock } from '../../recording/clock.ts';
import { kindOfFailure } from '../../recording/disk.ts';
import { otherContents, type SegmentStore, type StoredSegment } from '../store/segment-store.ts';
import { PartFile } from './part-file.ts';
import { Receiving } from './receiving.ts';
import { makeRoom } from './room.ts';

export interface IntakeOptions {
  /** name of this trainer */
  readonly trainer: string;
  readonly store: SegmentStore;
  readonly port: BulkPort;
  readonly clock: RecorderClock;
  /** space on the disk that is left to others [bytes] */
  readonly leaveFreeBytes?: number;
  /** segments that are received at once, from as many robots */
  readonly claims?: number;
  /** something of `state` is new; must not throw */
  readonly onChange?: () => void;
}

/** What an intake does, for whoever shows it. */
export interface IntakeState {
  readonly receiving: readonly {
    readonly robot: string;
    readonly segment: string;
    readonly chunks: number;
    readonly there: number;
  }[];
  /** why nothing new is taken; empty if nothing is in the way */
  readonly problem: string;
  /** segments that this trainer will not have; the latest of them */
  readonly refused: readonly { readonly robot: string; readonly segment: string; readonly problem: string }[];
}

/** For how long a segment is claimed at once [s]. */
const CLAIM_SECONDS = 30;
/** A claim is renewed when nothing came for so long [ms]. */
const QUIET_MS = 2_000;
/** A segment of which nothing came for so long is left to others; what is there of it stays [ms]. */
const GIVE_UP_MS = 90_000;
/** Times that a segment may come with other bytes than were offered, before it is refused. */
const OTHER_BYTES = 3;
const LEAVE_FREE = 256 << 20;
const CLAIMS = 6;
const NAMED = 20;

/**
 * Takes segments that robots offer: claims one, puts its chunks into a file until all are there, has it read as a whole by
 * the store, and acknowledges what is stored. Whatever is lost on the way, a claim says again what is there.
 */
export class Intake {
  readonly counters = {
    /** chunks that were new and right */
    chunks: 0,
    /** their length together [bytes] */
    bytes: 0,
    /** chunks that were there already */
    chunksTwice: 0,
    /** chunks with a wrong CRC, length or number, or without the properties that they need */
    chunksWrong: 0,
    /** chunks of what is not being received */
    chunksUnasked: 0,
    /** segments that went into the store */
    stored: 0,
    /** segments that were there already */
    known: 0,
    /** offers that were no offers */
    offersWrong: 0,
    /** offers that were left to others, because enough is being received or there is no room */
    offersLeft: 0,
    /** segments whose bytes were others than offered, and which are fetched again */
    otherBytes: 0,
    /** segments that were given up because nothing came any more */
    givenUp: 0,
  };
  readonly #options: IntakeOptions;
  readonly #receiving = new Map<string, Receiving>();
  /** being opened, or stored */
  readonly #busy = new Set<string>();
  readonly #otherBytes = new Map<string, number>();
  #refused: IntakeState['refused'] = [];
  #problem = '';
  #running = false;
  #cancelTick: (() => void) | undefined;
  readonly #work = new Set<Promise<void>>();

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  get state(): IntakeState {
    const receiving = [...this.#receiving.values()].map(({ offer, have }) => {
      const { robot, segment, chunks } = offer;
      return { robot, segment, chunks, there: have.count };
    });
    return { receiving, problem: this.#problem, refused: this.#refused };
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#tick();
  }

  /** Gives back what is claimed, and notes what is there of it. Never rejects. */
  async stop(): Promise<void> {
    this.#running = false;
    this.#cancelTick?.();
    for (const receiving of [...this.#receiving.values()]) await this.#park(receiving);
    await this.idle();
  }

  /** Resolves when nothing is being written, read or said. */
  async idle(): Promise<void> {
    while (this.#work.size > 0) await Promise.all(this.#work);
  }

  /** Something came in: an offer, or a chunk for this trainer. Never throws. */
  handle({ topic: on, payload, retain, properties }: BulkMessage): void {
    if (!this.#running || retain) return;
    const offering = /^h2o\/v1\/([^/]+)\/dataset\/offer$/.exec(on)?.[1];
    const sending = /^h2o\/v1\/trainer\/([^/]+)\/dataset\/([^/]+)\/chunk$/.exec(on);
    if (offering !== undefined) this.#do(this.#offered(offering, payload));
    else if (sending?.[1] === this.#options.trainer && sending[2] !== undefined)
      this.#do(this.#came(sending[2], payload, properties));
  }

  // --- offers ---------------------------------------------------------------------------------------------------------

  async #offered(robot: string, payload: Buffer): Promise<void> {
    const parsed = parsePayload(datasetOffer, payload);
    const { store, claims = CLAIMS } = this.#options;
    if (!parsed.ok || !isSound(parsed.message, robot)) {
      this.counters.offersWrong += 1;
      return;
    }
    const offer = parsed.message;
    const { sha256, segment } = offer;
    const stored = store.get(sha256);
    if (stored) {
      this.counters.known += 1;
      this.#acknowledge(offer, stored);
      return;
    }
    const known = this.#receiving.get(sha256);
    if (known) {
      // Its claim ran out, or the robot was started anew. Another robot with the same bytes waits until they are stored.
      if (known.offer.robot === robot) {
        known.heardMs = this.#now();
        this.#claim(known);
      }
      return;
    }
    const aside = store.quarantined(sha256);
    const other = store.find(robot, segment);
    const problem = aside?.reason ?? (other && otherContents(other));
    if (problem !== undefined) {
      this.#refuse(offer, problem);
      return;
    }
    if (this.#busy.has(sha256)) return;
    // A robot sends one at a time: what it offers now is what it will send.
    for (const one of this.#receiving.values()) if (one.offer.robot === robot && !one.checking) await this.#park(one);
    if (this.#receiving.size + this.#busy.size >= claims) {
      this.counters.offersLeft += 1;
      return;
    }
    this.#busy.add(sha256);
    try {
      await this.#begin(offer);
    } catch (error) {
      this.#troubled(error);
    } finally {
      this.#busy.delete(sha256);
    }
  }

  async #begin(offer: DatasetOffer): Promise<void> {
    const { store, leaveFreeBytes = LEAVE_FREE } = this.#options;
    const inUse = (sha256: string) => sha256 === offer.sha256 || this.#receiving.has(sha256);
    const isEnough = async () => (await store.freeBytes()) >= leaveFreeBytes + offer.bytes;
    if (!(await makeRoom(store.incoming, inUse, isEnough))) {
      this.counters.offersLeft += 1;
      this.#say(`${store.directory} has no room for ${offer.bytes} bytes beside the ${leaveFreeBytes} left to others`);
      return;
    }
    const part = await PartFile.open(store.incoming, offer);
    if (!this.#running) {
      await part.close();
      return;
    }
    this.#say('');
    const receiving = new Receiving(offer, part, this.#now());
    this.#receiving.set(offer.sha256, receiving);
    this.#claim(receiving);
    if (receiving.have.complete) await this.#finish(receiving);
  }

  // --- chunks ---------------------------------------------------------------------------------------------------------

  async #came(robot: string, payload: Buffer, properties: Readonly<Record<string, string>>): Promise<void> {
    const parsed = datasetChunkProperties.safeParse(properties);
    if (!parsed.success) {
      this.counters.chunksWrong += 1;
      return;
    }
    const { sha256, n: text, crc32: crc } = parsed.data;
    const receiving = this.#receiving.get(sha256);
    if (!receiving || receiving.offer.robot !== robot) {
      this.counters.chunksUnasked += 1;
      return;
    }
    const n = Number(text);
    const { bytes, chunkBytes, chunks } = receiving.offer;
    const isRight =
      n < chunks && payload.length === chunkLength(n, bytes, chunkBytes) && crcText(crc32(payload)) === crc;
    if (!isRight) {
      this.counters.chunksWrong += 1;
      return;
    }
    receiving.heardMs = this.#now();
    if (!receiving.wants(n)) {
      this.counters.chunksTwice += 1;
      return;
    }
    try {
      await receiving.write(n, payload);
    } catch (error) {
      this.#troubled(error);
      await this.#park(receiving);
      return;
    }
    if (receiving.ended) return;
    this.counters.chunks += 1;
    this.counters.bytes += payload.length;
    if (receiving.have.complete) await this.#finish(receiving);
    else if (receiving.isNews) this.#claim(receiving);
  }

  async #finish(receiving: Receiving): Promise<void> {
    if (receiving.checking || receiving.ended) return;
    receiving.checking = true;
    const { offer, part } = receiving;
    const { sha256, robot, segment } = offer;
    this.#claim(receiving);
    try {
      await receiving.idle();
      await part.save();
      await part.close();
      const added = await this.#options.store.add({ path: part.path, robot, segment, sha256 });
      switch (added.outcome) {
        case 'stored':
        case 'known':
          await part.forget();
          this.#end(receiving);
          this.#otherBytes.delete(sha256);
          this.counters[added.outcome] += 1;
          this.#acknowledge(offer, added.segment);
          break;
        case 'quarantined':
          await part.forget();
          this.#end(receiving);
          this.#refuse(offer, added.reason);
          break;
        case 'other-bytes':
          await part.discard();
          this.#end(receiving);
          this.#again(offer, added.reason);
      }
    } catch (error) {
      // It is offered again, and what is there stays.
      this.#troubled(error);
      await this.#park(receiving);
    }
  }

  /** Something on the way changes bytes so that their CRC fits: from the beginning, but not for ever. */
  #again(offer: DatasetOffer, reason: string): void {
    const times = (this.#otherBytes.get(offer.sha256) ?? 0) + 1;
    this.counters.otherBytes += 1;
    if (times < OTHER_BYTES) {
      this.#otherBytes.set(offer.sha256, times);
      this.#giveBack(offer);
      return;
    }
    this.#otherBytes.delete(offer.sha256);
    this.#refuse(offer, `it came ${times} times with other bytes than were offered: ${reason}`);
  }

  // --- what is said ---------------------------------------------------------------------------------------------------

  #claim(receiving: Receiving): void {
    receiving.told(this.#now());
    this.#options.onChange?.();
    this.#publish(receiving.offer, 'datasetClaim', { have: receiving.have.toString(), seconds: CLAIM_SECONDS });
  }

  #giveBack(offer: DatasetOffer, problem?: string): void {
    const have = new ChunkMap(offer.chunks).toString();
    const said = problem === undefined ? {} : { problem: problem.slice(0, 500) };
    this.#publish(offer, 'datasetClaim', { have, seconds: 0, ...said });
  }

  #refuse(offer: DatasetOffer, problem: string): void {
    const { robot, segment } = offer;
    this.#refused = [...this.#refused.filter((one) => one.segment !== segment), { robot, segment, problem }].slice(
      -NAMED,
    );
    this.#options.onChange?.();
    this.#giveBack(offer, problem);
  }

  #acknowledge(offer: DatasetOffer, { rows }: StoredSegment): void {
    this.#options.onChange?.();
    this.#publish(offer, 'datasetAcknowledge', { rows });
  }

  /** What is lost on the way is said again, at the next offer at the latest. */
  #publish(offer: DatasetOffer, name: 'datasetClaim' | 'datasetAcknowledge', more: object): void {
    const { trainer, port } = this.#options;
    const { robot, segment, sha256 } = offer;
    const message = { schema: MQTT_SCHEMA, trainer, segment, sha256, ...more };
    this.#do(port.publish(topic(robot, name), JSON.stringify(message)).then(() => {}));
  }

  // --- time, trouble and the end --------------------------------------------------------------------------------------

  #tick(): void {
    if (!this.#running) return;
    const now = this.#now();
    for (const receiving of this.#receiving.values()) {
      if (receiving.checking) {
        if (now - receiving.toldMs >= (1000 * CLAIM_SECONDS) / 3) this.#claim(receiving);
      } else if (now - receiving.heardMs >= GIVE_UP_MS) {
        this.counters.givenUp += 1;
        this.#do(this.#park(receiving));
      } else if (now - receiving.heardMs >= QUIET_MS && now - receiving.toldMs >= QUIET_MS) this.#claim(receiving);
    }
    this.#cancelTick = this.#options.clock.after(QUIET_MS / 2, () => this.#tick());
  }

  /** Nothing more is done with it for now; what is there is there at the next offer. */
  async #park(receiving: Receiving): Promise<void> {
    if (receiving.ended) return;
    this.#end(receiving);
    const { offer, part } = receiving;
    this.#busy.add(offer.sha256);
    this.#giveBack(offer);
    await receiving.idle();
    // On a full disk the older note is as good.
    await part.save().catch(() => {});
    await part.close().catch(() => {});
    this.#busy.delete(offer.sha256);
  }

  #end(receiving: Receiving): void {
    receiving.ended = true;
    this.#receiving.delete(receiving.offer.sha256);
    this.#options.onChange?.();
  }

  #troubled(error: unknown): void {
    const why = kindOfFailure(error) === 'disk-full' ? 'the disk is full' : 'the disk fails';
    this.#say(`${why}: ${messageOf(error)}; segments stay with their robots until it is over`);
  }

  #say(problem: string): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#options.onChange?.();
  }

  #now(): number {
    return this.#options.clock.monotonicMs();
  }

  #do(work: Promise<void>): void {
    this.#work.add(work);
    void work.finally(() => this.#work.delete(work));
  }
}

/** Whether the numbers of an offer fit together, and it comes from whom it says. */
const isSound = ({ robot, bytes, chunkBytes, chunks }: DatasetOffer, from: string): boolean =>
  robot === from && chunks === chunksOf(bytes, chunkBytes);
