import { messageOf } from '../../errors.ts';
import type { BulkMessage, BulkPort } from '../../messages/bulk/bulk-connection.ts';
import { CHUNK_BYTES, ChunkMap, chunksOf, crcText } from '../../messages/bulk/chunk-map.ts';
import {
  type DatasetStatus,
  datasetAcknowledge,
  datasetClaim,
  LEAST_CHUNK_BYTES,
  MQTT_SCHEMA,
  parsePayload,
  topic,
  trainerPresence,
  trainerTopic,
} from '../../messages/mqtt.ts';
import { crc32 } from '../../protocol/crc32.ts';
import type { RecorderClock } from '../../recording/clock.ts';
import type { Outbox, Ready, Waiting } from './outbox.ts';
import { Presence } from './presence.ts';
import { Sending } from './sending.ts';
import { TokenBucket } from './token-bucket.ts';
import { UploadStatus } from './upload-status.ts';

export interface UploaderOptions {
  readonly robot: string;
  readonly port: BulkPort;
  readonly outbox: Outbox;
  readonly clock: RecorderClock;
  /** 0: no limit */
  readonly kilobytesPerSecond: number;
  /** names of trainers that may have segments; empty: any */
  readonly trainers: readonly string[];
  /** whether the connection for commands is slow: then this one waits */
  readonly isBusy?: () => boolean;
  readonly onStatus: (status: DatasetStatus) => void;
}

/** How often the folder is looked at for newly sealed segments [ms]. */
const LOOK_MS = 5_000;
/** First and longest wait for somebody to claim what was offered [ms]. */
const FIRST_OFFER_MS = 2_000;
const LONGEST_OFFER_MS = 60_000;
/** After the disk, or the broker, has refused something [ms]. */
const TROUBLE_MS = 30_000;
/** After a trainer has said that it will not have a segment, or the segment turned out to be damaged [ms]. */
const REFUSED_MS = 3_600_000;
/** While the connection for commands is slow [ms]. */
const YIELD_MS = 50;
/** Segments whose SHA-256 is remembered for a late acknowledgement. */
const REMEMBERED = 64;

interface Head {
  readonly ready: Ready;
  readonly chunkBytes: number;
  readonly chunks: number;
}

interface Claim {
  readonly trainer: string;
  readonly sending: Sending;
  /** monotonic [ms] */
  until: number;
}

/**
 * Gives the sealed segments of a robot to trainers, one after the other, the oldest first: offers one until a trainer
 * claims it, sends the chunks that the trainer does not have, and notes its acknowledgement beside the segment. Everything
 * else that it knows may be lost at any moment: then the segment is offered again.
 */
export class Uploader {
  readonly counters = {
    /** chunks that a broker has taken */
    chunksSent: 0,
    /** their length together [bytes] */
    bytesSent: 0,
    offers: 0,
    /** claims that were granted, renewals apart */
    claims: 0,
    /** claims whose time ran out */
    claimsExpired: 0,
    /** segments that were acknowledged, and the acknowledgement is on the medium */
    acknowledged: 0,
    /** messages that were not acted on: retained, malformed, of strangers, about something else */
    ignored: 0,
  };
  readonly #options: UploaderOptions;
  readonly #presence: Presence;
  readonly #bucket: TokenBucket;
  readonly #status: UploadStatus;
  readonly #topics: { offer: string; claim: string; acknowledge: string };
  /** SHA-256 of what was ready once, by segment */
  readonly #hashes = new Map<string, { sha256: string; bytes: number; rows: number }>();
  /** segments that are not offered for a while: until when [ms] */
  readonly #skipped = new Map<string, number>();
  /** acknowledgements that are being noted */
  readonly #noting = new Set<string>();
  #head: Head | undefined;
  #claim: Claim | undefined;
  #inFlight = 0;
  #running = false;
  #pumping = false;
  #again = false;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #waiting: readonly Waiting[] = [];
  #offerMs = 0;
  #backoffMs = FIRST_OFFER_MS;
  /** nothing is tried before [ms] */
  #restMs = 0;
  #wake: { at: number; cancel: () => void } | undefined;

  constructor(options: UploaderOptions) {
    this.#options = options;
    this.#presence = new Presence(options.trainers);
    this.#bucket = new TokenBucket(options.kilobytesPerSecond, () => options.clock.monotonicMs());
    this.#status = new UploadStatus(options.clock, options.onStatus);
    const { robot } = options;
    this.#topics = {
      offer: topic(robot, 'datasetOffer'),
      claim: topic(robot, 'datasetClaim'),
      acknowledge: topic(robot, 'datasetAcknowledge'),
    };
  }

  start(): void {
    this.#running = true;
    this.#kick();
  }

  async stop(): Promise<void> {
    this.#running = false;
    this.#wake?.cancel();
    this.#status.stop();
    await this.#dropHead();
  }

  connected(): void {
    this.#restMs = 0;
    this.#status.sayAgain();
    this.#kick();
  }

  /** The connection is gone. Claims stay until their time is up: the trainer will say what it has. */
  lost(): void {
    this.#presence.clear();
    this.#kick();
  }

  /** Something came in on one of the topics that `connected` wants subscribed. Never throws. */
  handle({ topic: on, payload, retain }: BulkMessage): void {
    const trainer = /^h2o\/v1\/trainer\/([^/]+)\/state$/.exec(on)?.[1];
    if (trainer !== undefined) {
      const state = parsePayload(trainerPresence, payload);
      if (this.#presence.heard(trainer, state.ok && state.message.online)) {
        // It was away: it may know nothing of its claim any more. If it does, it says so.
        if (this.#claim?.trainer === trainer) this.#claim = undefined;
        this.#offerSoon();
      }
    } else if (retain) this.counters.ignored += 1;
    else {
      const acted =
        (on === this.#topics.claim && this.#claimed(payload)) ||
        (on === this.#topics.acknowledge && this.#acknowledged(payload));
      if (!acted) this.counters.ignored += 1;
    }
    this.#kick();
  }

  // --- what trainers say ---------------------------------------------------------------------------------------------

  /** @returns whether it was acted on */
  #claimed(payload: Buffer): boolean {
    const parsed = parsePayload(datasetClaim, payload);
    const head = this.#head;
    if (!parsed.ok || !head) return false;
    const { trainer, segment, sha256, have: text, seconds, problem } = parsed.message;
    const { ready } = head;
    if (segment !== ready.segment || sha256 !== ready.sha256 || !this.#presence.isAllowed(trainer)) return false;
    const now = this.#now();
    this.#expire(now);
    if (this.#claim && this.#claim.trainer !== trainer) return false;
    if (seconds === 0) {
      this.#claim = undefined;
      if (problem !== undefined) this.#skip(segment, trainer, problem, REFUSED_MS);
      else this.#offerMs = now + this.#backoffMs;
      return true;
    }
    const have = ChunkMap.parse(text, head.chunks);
    if (!have) return false;
    // Whoever claims is there.
    this.#presence.heard(trainer, true);
    if (!this.#claim) {
      this.counters.claims += 1;
      this.#claim = { trainer, sending: new Sending(head.chunks), until: 0 };
    }
    this.#claim.until = now + 1000 * seconds;
    this.#claim.sending.claimed(have);
    this.#backoffMs = FIRST_OFFER_MS;
    return true;
  }

  /** @returns whether it was acted on */
  #acknowledged(payload: Buffer): boolean {
    const parsed = parsePayload(datasetAcknowledge, payload);
    if (!parsed.ok || !this.#presence.isAllowed(parsed.message.trainer)) return false;
    const { segment, sha256, rows, trainer } = parsed.message;
    const known = this.#hashes.get(segment);
    // Of what this process has not read itself it believes nothing; it will be offered again, and acknowledged again.
    if (!known || known.sha256 !== sha256) return false;
    if (known.rows !== rows) {
      this.#skip(segment, trainer, `it read ${rows} transitions in it, and there are ${known.rows}`, REFUSED_MS);
      return true;
    }
    if (this.#noting.has(segment)) return true;
    this.#noting.add(segment);
    void this.#note(segment, trainer, known).finally(() => {
      this.#noting.delete(segment);
      this.#kick();
    });
    return true;
  }

  async #note(segment: string, by: string, { sha256, bytes }: { sha256: string; bytes: number }): Promise<void> {
    try {
      await this.#options.outbox.acknowledge(segment, { sha256, bytes, by });
    } catch (error) {
      // It will be offered again, and acknowledged again.
      this.#rest(`${by} has ${segment}, and that cannot be noted: ${messageOf(error)}`);
      if (this.#head?.ready.segment === segment) this.#claim = undefined;
      return;
    }
    this.counters.acknowledged += 1;
    this.#hashes.delete(segment);
    this.#skipped.delete(segment);
    this.#waiting = this.#waiting.filter((one) => one.segment !== segment);
    this.#status.acknowledged(segment, by, sha256);
    if (this.#head?.ready.segment !== segment) return;
    await this.#dropHead();
    this.#offerSoon();
  }

  // --- what is done ---------------------------------------------------------------------------------------------------

  #now(): number {
    return this.#options.clock.monotonicMs();
  }

  #kick(): void {
    if (this.#pumping) {
      this.#again = true;
      return;
    }
    this.#pumping = true;
    void this.#pump();
  }

  async #pump(): Promise<void> {
    do {
      this.#again = false;
      try {
        while (this.#running && (await this.#step()));
      } catch (error) {
        this.#rest(messageOf(error));
      }
    } while (this.#again && this.#running);
    // In the same turn as the last look at it: whoever comes from now on begins anew.
    this.#pumping = false;
    if (!this.#running) return;
    const sending = this.#head && {
      segment: this.#head.ready.segment,
      trainer: this.#claim?.trainer ?? null,
      chunks: this.#head.chunks,
      there: this.#claim?.sending.there ?? 0,
    };
    this.#status.update(this.#waiting, sending ?? null);
  }

  /** @returns whether there may be more to do at once; if not, something is waited for */
  async #step(): Promise<boolean> {
    const { port } = this.#options;
    const now = this.#now();
    this.#expire(now);
    if (now < this.#restMs) return this.#waitUntil(this.#restMs);
    if (now - this.#lookedMs >= LOOK_MS) {
      this.#lookedMs = now;
      this.#waiting = await this.#options.outbox.list();
      return true;
    }
    if (!port.connected) return this.#obstructed('there is no connection to the broker');
    if (!this.#presence.anybody) return this.#obstructed('no trainer is online');
    if (!this.#head) return this.#prepareNext();
    if (this.#longestChunk() < this.#head.chunkBytes) {
      await this.#dropHead();
      return true;
    }
    this.#status.problem = '';
    if (this.#claim) return this.#send(this.#head, this.#claim);
    if (now < this.#offerMs) return this.#waitUntil(Math.min(this.#offerMs, this.#lookedMs + LOOK_MS));
    await this.#offer(this.#head);
    return true;
  }

  #obstructed(problem: string): false {
    this.#status.problem = problem;
    return this.#waitUntil(this.#lookedMs + LOOK_MS);
  }

  /** Longest chunk that goes into a packet of this broker, whole kilobytes. */
  #longestChunk(): number {
    return Math.min(CHUNK_BYTES, Math.floor(this.#options.port.longestPayload / 1024) * 1024);
  }

  async #prepareNext(): Promise<boolean> {
    const now = this.#now();
    for (const [segment, until] of this.#skipped) if (now >= until) this.#skipped.delete(segment);
    const next = this.#waiting.find(({ segment }) => !this.#skipped.has(segment) && !this.#noting.has(segment));
    this.#status.problem = '';
    if (!next) return this.#waitUntil(this.#lookedMs + LOOK_MS);
    const chunkBytes = this.#longestChunk();
    if (chunkBytes < LEAST_CHUNK_BYTES) {
      this.#rest(`the broker takes packets of ${this.#options.port.longestPayload} bytes only: raise max_packet_size`);
      return false;
    }
    let ready: Awaited<ReturnType<Outbox['prepare']>>;
    try {
      ready = await this.#options.outbox.prepare(next);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
        this.#waiting = this.#waiting.filter((one) => one !== next);
        return true;
      }
      throw error;
    }
    if ('reason' in ready) {
      this.#skip(next.segment, 'robot', ready.reason, REFUSED_MS);
      return true;
    }
    const { sha256, bytes, rows } = ready;
    this.#hashes.set(next.segment, { sha256, bytes, rows });
    for (const oldest of this.#hashes.keys()) {
      if (this.#hashes.size <= REMEMBERED) break;
      this.#hashes.delete(oldest);
    }
    if (!this.#running) await ready.close();
    else this.#head = { ready, chunkBytes, chunks: chunksOf(bytes, chunkBytes) };
    this.#offerMs = 0;
    return true;
  }

  async #offer({ ready, chunkBytes, chunks }: Head): Promise<void> {
    const { robot, clock, port } = this.#options;
    const { segment, bytes, rows, sha256, boot, from, to, tasks } = ready;
    this.counters.offers += 1;
    this.#offerMs = clock.monotonicMs() + this.#backoffMs;
    this.#backoffMs = Math.min(LONGEST_OFFER_MS, 2 * this.#backoffMs);
    const what = { segment, bytes, rows, sha256, chunkBytes, chunks, boot, from, to, tasks };
    const how = await port.publish(this.#topics.offer, JSON.stringify({ schema: MQTT_SCHEMA, robot, ...what }));
    if (how === 'refused') this.#rest('the broker refuses offers: check its access list');
  }

  /** Sends as much as may be under way, or waits. */
  async #send({ ready, chunkBytes }: Head, claim: Claim): Promise<boolean> {
    const { port, isBusy } = this.#options;
    const now = this.#now();
    const n = claim.sending.next();
    if (n === undefined || this.#inFlight >= port.window) {
      return this.#waitUntil(Math.min(claim.until, this.#lookedMs + LOOK_MS));
    }
    if (!this.#presence.has(claim.trainer)) return this.#obstructed(`${claim.trainer} is not online`);
    if (isBusy?.()) return this.#waitUntil(now + YIELD_MS);
    const wait = this.#bucket.take(Math.min(chunkBytes, ready.bytes));
    if (wait > 0) return this.#waitUntil(now + wait);
    let payload: Buffer;
    try {
      payload = await ready.chunk(n, chunkBytes);
    } catch (error) {
      // Closed meanwhile: then it is no matter.
      if (this.#head?.ready !== ready) return true;
      this.#skip(ready.segment, 'robot', `it cannot be read: ${messageOf(error)}`, TROUBLE_MS);
      return true;
    }
    // Meanwhile anything may have happened.
    if (this.#claim !== claim || !this.#running) return true;
    const { segment, sha256 } = ready;
    const properties = { segment, n: String(n), crc32: crcText(crc32(payload)), sha256 };
    claim.sending.sent(n);
    this.#inFlight += 1;
    const where = trainerTopic(claim.trainer, 'datasetChunk', this.#options.robot);
    void port.publish(where, payload, { properties }).then((how) => {
      this.#inFlight -= 1;
      claim.sending.settled(n, how === 'taken');
      if (how === 'taken') {
        this.counters.chunksSent += 1;
        this.counters.bytesSent += payload.length;
      } else if (how === 'refused') {
        if (this.#claim === claim) this.#claim = undefined;
        this.#rest('the broker refuses chunks: check its access list');
      }
      this.#kick();
    });
    return true;
  }

  #expire(now: number): void {
    if (!this.#claim || now < this.#claim.until) return;
    this.#claim = undefined;
    this.counters.claimsExpired += 1;
    this.#offerMs = 0;
  }

  #offerSoon(): void {
    this.#offerMs = 0;
    this.#backoffMs = FIRST_OFFER_MS;
  }

  /** Nothing more is tried for a while. */
  #rest(problem: string): void {
    this.#status.problem = problem;
    this.#restMs = this.#now() + TROUBLE_MS;
    this.#waitUntil(this.#restMs);
  }

  #skip(segment: string, by: string, problem: string, forMs: number): void {
    this.#skipped.set(segment, this.#now() + forMs);
    this.#status.refused({ segment, by, problem });
    if (this.#head?.ready.segment === segment) void this.#dropHead();
  }

  async #dropHead(): Promise<void> {
    const head = this.#head;
    this.#head = undefined;
    this.#claim = undefined;
    await head?.ready.close().catch(() => {});
  }

  /** Looks again at that time [ms, monotonic]. @returns false */
  #waitUntil(at: number): false {
    if (!this.#running) return false;
    if (this.#wake && this.#wake.at <= at && this.#wake.at > this.#now()) return false;
    this.#wake?.cancel();
    const cancel = this.#options.clock.after(Math.max(0, at - this.#now()), () => {
      this.#wake = undefined;
      this.#kick();
    });
    this.#wake = { at, cancel };
    return false;
  }
}
