import { messageOf } from '../../errors.ts';
import { CHUNK_BYTES, ChunkMap, chunksOf } from '../../messages/bulk/chunk-map.ts';
import { MQTT_SCHEMA, type PolicyOffer, type PolicyStatus, type PolicyWant, topic } from '../../messages/mqtt.ts';
import type { PolicyStage } from '../../messages/policy-stages.ts';
import { crc32 } from '../../protocol/crc32.ts';
import type { TrainerPort } from '../trainer-connection.ts';
import type { OfferBook, StandingOffer } from './offer-book.ts';
import type { PolicyFiles, PolicyShelf } from './policy-shelf.ts';

export interface PolicyPublisherOptions {
  readonly trainer: string;
  readonly offers: OfferBook;
  readonly shelf: PolicyShelf;
  /** for offers */
  readonly port: TrainerPort;
  /** for what is long, so that nothing waits behind it */
  readonly bulk: TrainerPort;
  readonly mayHave: (robot: string) => boolean;
  readonly kilobytesPerSecond: number;
  /** something that the state tells has changed */
  readonly onChange: () => void;
  readonly onRefused: (what: string, why: string) => void;
  /** monotonic [ms] */
  readonly now: () => number;
  readonly wait: (milliseconds: number) => Promise<void>;
}

/** What is known of one robot and one offer. */
export interface RobotOffer {
  readonly robot: string;
  readonly stage: PolicyStage | 'unheard';
  readonly reasons: readonly string[];
  readonly chunksSent: number;
}

/** First and longest wait before an offer that nobody answers is said again [ms]. */
const FIRST_AGAIN = 30_000;
const LONGEST_AGAIN = 600_000;
/** Chunks that wait for the broker's acknowledgement at once. */
const WINDOW = 4;

interface Spoken {
  stage: PolicyStage | 'unheard';
  reasons: readonly string[];
  chunksSent: number;
  /** when it is said again, and how long to wait then; monotonic [ms] */
  againAt: number;
  againIn: number;
}

interface Sending {
  readonly files: PolicyFiles;
  readonly robot: string;
  readonly key: string;
  /** numbers of the chunks that are still to go */
  readonly left: number[];
}

/**
 * Offers policies to robots until they speak of them, and sends each the chunks that it asks for. Knows nothing that it
 * could lose: what stands is in the offer book, what a robot has it says itself.
 */
export class PolicyPublisher {
  readonly counters = {
    /** offers that the broker took */
    offers: 0,
    /** requests for chunks that were answered */
    wants: 0,
    /** chunks that the broker took */
    chunks: 0,
    /** requests that were not for us, not for an offer of ours, or of robots that may not have it */
    ignored: 0,
  };
  readonly #options: PolicyPublisherOptions;
  /** by `id/version/robot` */
  readonly #spoken = new Map<string, Spoken>();
  readonly #files = new Map<string, PolicyFiles>();
  readonly #sending = new Map<string, Sending>();
  #pumping: Promise<void> | undefined;
  /** when the next chunk may go by the rate limit; monotonic [ms] */
  #freeAt = 0;
  #stopped = false;

  constructor(options: PolicyPublisherOptions) {
    this.#options = options;
  }

  /** Offers what is due: everything that nobody has spoken of, now and then. Call it often, and at once with `all`. */
  offerDue(all = false): void {
    const { offers, port, now } = this.#options;
    if (!port.connected) return;
    for (const offer of offers.all) {
      for (const robot of offer.robots) {
        const spoken = this.#spokenOf(offer, robot);
        if (spoken.stage !== 'unheard' && spoken.stage !== 'offered') continue;
        if (!all && now() < spoken.againAt) continue;
        spoken.againAt = now() + spoken.againIn;
        spoken.againIn = Math.min(LONGEST_AGAIN, 2 * spoken.againIn);
        void this.#offer(offer, robot);
      }
    }
  }

  /** A robot is there again: what it has not spoken of is said at once. */
  heard(robot: string): void {
    for (const offer of this.#options.offers.all) {
      if (!offer.robots.includes(robot)) continue;
      const spoken = this.#spokenOf(offer, robot);
      spoken.againAt = 0;
      spoken.againIn = FIRST_AGAIN;
    }
    this.offerDue();
  }

  onStatus(robot: string, { versions }: PolicyStatus): void {
    let changed = false;
    for (const offer of this.#options.offers.all) {
      const told = versions.find(({ id, version }) => id === offer.id && version === offer.version);
      if (!told || !offer.robots.includes(robot)) continue;
      const spoken = this.#spokenOf(offer, robot);
      changed ||= spoken.stage !== told.stage || String(spoken.reasons) !== String(told.reasons);
      spoken.stage = told.stage;
      spoken.reasons = told.reasons.slice(0, 8);
    }
    if (changed) this.#options.onChange();
  }

  /** Sends what a robot lacks, in place of what it lacked before. */
  onWant(robot: string, want: PolicyWant): void {
    const { trainer, onRefused } = this.#options;
    const sending = want.to === trainer ? this.#answer(robot, want) : undefined;
    if (typeof sending === 'object') {
      this.counters.wants += 1;
      this.#sending.set(robot, sending);
      this.#pump();
      return;
    }
    this.counters.ignored += 1;
    if (sending !== undefined) onRefused(`${robot} wants ${want.id} version ${want.version}`, sending);
  }

  /** What robots say of what is offered. */
  describe(): (StandingOffer & { readonly sha256: string; readonly told: readonly RobotOffer[] })[] {
    return this.#options.offers.all.flatMap((offer) => {
      const files = this.#read(offer);
      if (!files) return [];
      const told = offer.robots.map((robot) => {
        const { stage, reasons, chunksSent } = this.#spokenOf(offer, robot);
        return { robot, stage, reasons, chunksSent };
      });
      return [{ ...offer, sha256: files.manifest.model.sha256, told }];
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#sending.clear();
    await this.#pumping;
  }

  /** What is to be sent, or why nothing is. */
  #answer(robot: string, want: PolicyWant): Sending | string {
    const { offers, mayHave } = this.#options;
    if (!mayHave(robot)) return 'it may not have policies of this trainer (robots)';
    const offer = offers.all.find(({ id }) => id === want.id);
    if (offer?.version !== want.version) return 'it is not on offer (any more)';
    if (!offer.robots.includes(robot)) return 'it is not offered to this robot; order it: trainer offer';
    const files = this.#read(offer);
    if (!files) return 'it cannot be read';
    if (want.sha256 !== files.manifest.model.sha256) return 'it asks for another model';
    const have = ChunkMap.parse(want.have, chunksOf(files.model.length))?.toArray();
    if (!have) return 'its map of chunks is not one';
    const left = have.flatMap((there, n) => (there ? [] : [n]));
    return { files, robot, key: keyOf(offer, robot), left };
  }

  async #offer(offer: StandingOffer, robot: string): Promise<void> {
    const { trainer, port, mayHave, onRefused } = this.#options;
    const files = this.#read(offer);
    if (!files || !mayHave(robot)) return;
    const { sha256, bytes } = files.manifest.model;
    const message: PolicyOffer = {
      schema: MQTT_SCHEMA,
      from: trainer,
      id: offer.id,
      version: offer.version,
      manifest: files.manifestText,
      signature: files.signatureText,
      model: { sha256, bytes },
      chunkBytes: CHUNK_BYTES,
      chunks: chunksOf(bytes),
    };
    const fate = await port.publish(topic(robot, 'policyOffer'), JSON.stringify(message), { retain: true });
    if (fate === 'taken') this.counters.offers += 1;
    else if (fate !== 'lost') onRefused(`offer of ${offer.id} to ${robot}`, `the broker does not take it (${fate})`);
  }

  #pump(): void {
    this.#pumping ??= this.#sendAll().finally(() => {
      this.#pumping = undefined;
    });
  }

  async #sendAll(): Promise<void> {
    const { bulk, kilobytesPerSecond, now, wait, onChange } = this.#options;
    const inFlight = new Set<Promise<void>>();
    while (!this.#stopped) {
      // One chunk for each robot in turn: none waits for another's whole model.
      const [sending] = this.#sending.values();
      const n = sending?.left.shift();
      if (sending) {
        this.#sending.delete(sending.robot);
        if (sending.left.length > 0) this.#sending.set(sending.robot, sending);
      }
      if (!sending || n === undefined) {
        if (inFlight.size === 0) break;
        await Promise.race(inFlight);
        continue;
      }
      const chunk = sending.files.model.subarray(n * CHUNK_BYTES, (n + 1) * CHUNK_BYTES);
      const pause = this.#freeAt - now();
      if (pause > 0) await wait(pause);
      this.#freeAt = Math.max(now(), this.#freeAt) + chunk.length / kilobytesPerSecond;
      while (inFlight.size >= WINDOW) await Promise.race(inFlight);
      const properties = {
        sha256: sending.files.manifest.model.sha256,
        n: String(n),
        crc32: crc32(chunk).toString(16).padStart(8, '0'),
      };
      const sent: Promise<void> = bulk
        .publish(topic(sending.robot, 'policyChunk'), Buffer.from(chunk), { properties })
        .then((fate) => {
          inFlight.delete(sent);
          if (fate !== 'taken') {
            // It asks again for what did not come.
            this.#sending.delete(sending.robot);
            return;
          }
          this.counters.chunks += 1;
          const spoken = this.#spoken.get(sending.key);
          if (spoken) spoken.chunksSent += 1;
        });
      inFlight.add(sent);
    }
    onChange();
  }

  #spokenOf(offer: Pick<StandingOffer, 'id' | 'version'>, robot: string): Spoken {
    const key = keyOf(offer, robot);
    let spoken = this.#spoken.get(key);
    if (!spoken) {
      spoken = { stage: 'unheard', reasons: [], chunksSent: 0, againAt: 0, againIn: FIRST_AGAIN };
      this.#spoken.set(key, spoken);
    }
    return spoken;
  }

  #read({ id, version }: Pick<StandingOffer, 'id' | 'version'>): PolicyFiles | undefined {
    const key = `${id}/${version}`;
    const known = this.#files.get(key);
    if (known) return known;
    try {
      const files = this.#options.shelf.read({ id, version });
      // Of each policy one version is on offer; the one before it is not asked for any more.
      for (const other of this.#files.keys()) if (other.startsWith(`${id}/`)) this.#files.delete(other);
      this.#files.set(key, files);
      return files;
    } catch (error) {
      this.#options.onRefused(`${id} version ${version}`, messageOf(error));
      return undefined;
    }
  }
}

const keyOf = ({ id, version }: Pick<StandingOffer, 'id' | 'version'>, robot: string) => `${id}/${version}/${robot}`;
