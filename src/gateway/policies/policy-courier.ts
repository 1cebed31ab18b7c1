import { Allowance } from '../../allowance.ts';
import { messageOf } from '../../errors.ts';
import { MQTT_SCHEMA, parsePayload } from '../../messages/mqtt.ts';
import {
  MAX_POLICY_OFFER,
  type PolicyOffer,
  type PolicyStatus,
  type PolicyWant,
  policyOffer,
} from '../../messages/mqtt-policy.ts';
import type { Answer } from '../../messages/requests.ts';
import type { Status } from '../../messages/status.ts';
import { kindOfFailure } from '../../recording/disk.ts';
import { Download, MOST_FRUITLESS } from './download.ts';
import { folderOf, type Incoming } from './incoming.ts';
import { knownVersion } from './offer-check.ts';
import { type OnItsWay, policyStatusOf, statusKey } from './policy-status.ts';

export interface CourierParts {
  readonly incoming: Incoming;
  /** what speaks against fetching it, see `offerReasons` */
  readonly check: (offer: PolicyOffer, known: Status['policies']) => string[];
  /** asks control to look at a folder of the incoming ones; rejects when control is not there */
  readonly vet: (folder: string) => Promise<Answer>;
  readonly want: (want: PolicyWant) => void;
  readonly publish: (status: PolicyStatus) => void;
  /** for the gateway's log */
  readonly onEvent: (event: { readonly event: string; readonly [key: string]: unknown }) => void;
  /** monotonic [ms] */
  readonly now: () => number;
  /** wall clock [ms since 1970] */
  readonly wall: () => number;
}

/** An offer and how far it has come. */
interface Item {
  readonly folder: string;
  readonly offer: PolicyOffer;
  stage: 'offered' | 'downloaded' | 'refused';
  reasons: string[];
  since: number;
  /** it was control that refused it */
  byControl: boolean;
  /** times that all chunks came and were not the model */
  wrong: number;
  /** not before then [monotonic ms] */
  retryAt: number;
  failures: number;
}

const OFFERS_PER_SECOND = 5;
/** Offers that wait for their turn; more are left out until they are repeated. */
const MOST_WAITING = 8;
/** Refusals of which the robot tells; older ones are forgotten. */
const MOST_REFUSED = 16;
/** All chunks came, with the right sums, and were another model: after so many times it is refused. */
const MOST_WRONG = 3;
/** Left free for others [bytes]: recordings and the latch of an e-stop are on the same disk. */
const LEAVE_FREE = 32 * 2 ** 20;
const FIRST_RETRY = 1000;
const LONGEST_RETRY = 60_000;
/** A status that changes in numbers alone is published at most so often [ms]. */
const NUMBERS_PERIOD = 2000;

/**
 * Brings policies from the broker to control: takes offers, asks for the chunks that are missing, puts bundles together and
 * tells control where they lie. A courier: what it checks saves bandwidth, what it brings control verifies again.
 */
export class PolicyCourier {
  readonly counters = {
    /** offers that came in */
    offers: 0,
    /** offers that were not of the form of their topic, too long, or above the rate */
    offersUnread: 0,
    /** offers that were left out because too many wait */
    offersLeftOut: 0,
    /** questions for chunks */
    wants: 0,
    /** chunks that were kept */
    chunks: 0,
    /** chunks of a model that is not wanted, or retained */
    chunksForeign: 0,
    /** chunks whose length or CRC is wrong */
    chunksCorrupt: 0,
    /** chunks that were there already */
    chunksDuplicate: 0,
    /** bundles that were put together */
    bundles: 0,
    /** times that all chunks came and were not the model */
    wrongModels: 0,
  };
  readonly #parts: CourierParts;
  readonly #allowance: Allowance;
  readonly #items = new Map<string, Item>();
  /** what the robot was offered under a folder's name, for as long as control may speak of it */
  readonly #offered = new Map<string, PolicyOffer>();
  /** complete folders, and when control is to be asked (again) to look at them [monotonic ms] */
  readonly #complete = new Map<string, { askAt: number; asking: boolean }>();
  #download: Download | undefined;
  #connected = false;
  #known: Status['policies'] | undefined;
  /** all work on the disk, one after the other */
  #work: Promise<void> = Promise.resolve();
  #finishing = false;
  #running = false;
  #published = '';
  #publishedKey = '';
  #publishedAt = Number.NEGATIVE_INFINITY;

  constructor(parts: CourierParts) {
    this.#parts = parts;
    this.#allowance = new Allowance(OFFERS_PER_SECOND, parts.now);
  }

  /** Goes on where the last gateway stopped. @throws node's errors when the folder cannot be used at all */
  async start(): Promise<void> {
    const { complete, begun } = await this.#parts.incoming.open();
    for (const folder of complete) this.#complete.set(folder, { askAt: Number.NEGATIVE_INFINITY, asking: false });
    for (const offer of begun) this.#queue(offer);
    this.#running = true;
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#work;
  }

  /** For tests: resolves when nothing is on its way to the disk. */
  async idle(): Promise<void> {
    let work: Promise<void> | undefined;
    while (work !== this.#work) {
      work = this.#work;
      await work;
    }
  }

  connected(connected: boolean): void {
    this.#connected = connected;
    if (!connected) return;
    // Nobody there may have heard of it, and what was asked for may be lost.
    this.#published = '';
    this.#download?.askAgain();
    this.tick();
  }

  /** A message on `policy/offer`. Never throws. */
  offer(payload: Buffer): void {
    // An empty retained one is a broker that clears its copy.
    if (payload.length === 0) return;
    this.counters.offers += 1;
    const parsed =
      payload.length <= MAX_POLICY_OFFER && this.#allowance.take() ? parsePayload(policyOffer, payload) : undefined;
    if (!parsed?.ok) {
      this.counters.offersUnread += 1;
      const problem = parsed ? parsed.problem : `too long (${payload.length} bytes), or too many`;
      this.#parts.onEvent({ event: 'policy-offer-unread', problem });
      return;
    }
    this.#queue(parsed.message);
    this.tick();
  }

  /** A message on `policy/chunk`. Never throws. */
  chunk(payload: Buffer, properties: unknown, retain: boolean): void {
    const download = this.#download;
    if (!download || retain) {
      this.counters.chunksForeign += 1;
      return;
    }
    const { fate, n } = download.take(properties, payload, this.#parts.now());
    if (fate === 'foreign') this.counters.chunksForeign += 1;
    else if (fate === 'corrupt') this.counters.chunksCorrupt += 1;
    else if (fate === 'duplicate') this.counters.chunksDuplicate += 1;
    else this.#keep(download, n, payload);
  }

  /** What control says of itself; several times a second. */
  status(status: Status): void {
    this.#known = status.policies;
    this.#seeWhatBecame(status.policies);
    this.tick();
  }

  /** Control is not there. */
  lost(): void {
    // Another control may see it with other keys.
    for (const item of this.#items.values()) item.byControl = false;
    for (const folder of this.#complete.values()) folder.askAt = Number.NEGATIVE_INFINITY;
  }

  /** To be called now and then. */
  tick(): void {
    if (!this.#running) return;
    const now = this.#parts.now();
    this.#choose(now);
    this.#askForChunks(now);
    this.#askControl(now);
    this.#tell(now);
  }

  #queue(offer: PolicyOffer): void {
    const folder = folderOf(offer);
    const before = this.#items.get(folder);
    if (this.#complete.has(folder) || (before && this.#stands(before))) return;
    const waiting = [...this.#items.values()].filter(({ stage }) => stage === 'offered');
    if (waiting.length >= MOST_WAITING) {
      this.counters.offersLeftOut += 1;
      return;
    }
    this.#offered.delete(folder);
    this.#offered.set(folder, offer);
    forgetOldest(this.#offered, 4 * MOST_REFUSED);
    this.#items.delete(folder);
    this.#items.set(folder, {
      folder,
      offer,
      stage: 'offered',
      reasons: [],
      since: this.#parts.wall(),
      byControl: false,
      wrong: 0,
      retryAt: Number.NEGATIVE_INFINITY,
      failures: 0,
    });
  }

  /** Whether nothing new follows from the same offer, told apart by manifest and signature, being made again. */
  #stands(item: Item): boolean {
    if (item.stage !== 'refused' || item.byControl) return true;
    // Clock and keys may be right by now.
    const reasons = this.#known ? this.#parts.check(item.offer, this.#known) : item.reasons;
    if (reasons.length > 0) item.reasons = reasons;
    return reasons.length > 0;
  }

  /** Begins the next download, if none runs. Not before control has said what it knows. */
  #choose(now: number): void {
    const known = this.#known;
    if (this.#download || this.#finishing || known === undefined) return;
    for (const item of this.#items.values()) {
      if (item.stage !== 'offered' || item.retryAt > now) continue;
      if (knownVersion(item.offer, known)) {
        this.#forget(item);
        continue;
      }
      const reasons = this.#parts.check(item.offer, known);
      if (reasons.length > 0) this.#refuse(item, reasons);
      else {
        this.#begin(item);
        return;
      }
    }
  }

  #begin(item: Item): void {
    this.#finishing = true;
    this.#do(item, async () => {
      const { incoming } = this.#parts;
      const free = await incoming.freeBytes();
      // The chunks and then the model, for a moment beside each other.
      const needed = 2 * item.offer.model.bytes + 2 * item.offer.manifest.length + LEAVE_FREE;
      if (free < needed)
        throw Object.assign(new Error(`${free} bytes are free, ${needed} are wanted`), { code: 'ENOSPC' });
      const download = new Download(item.offer, await incoming.begin(item.offer));
      item.reasons = [];
      this.#download = download;
      this.#finishing = false;
      if (download.complete) this.#finish(item);
    });
  }

  #keep(download: Download, n: number, payload: Buffer): void {
    const item = this.#items.get(folderOf(download.offer));
    if (!item) return;
    // MQTT.js may use its buffer again.
    const bytes = Buffer.from(payload);
    this.#do(item, async () => {
      if (this.#download !== download) return;
      try {
        await this.#parts.incoming.keep(download.offer, n, bytes);
      } catch (error) {
        download.dropped(n);
        throw error;
      }
      download.kept(n);
      item.failures = 0;
      this.counters.chunks += 1;
      if (download.complete && !this.#finishing) this.#finish(item);
    });
  }

  #finish(item: Item): void {
    this.#finishing = true;
    this.#do(item, async () => {
      const right = await this.#parts.incoming.finish(item.offer);
      this.#download = undefined;
      this.#finishing = false;
      if (right) {
        this.counters.bundles += 1;
        item.stage = 'downloaded';
        item.reasons = [];
        item.since = this.#parts.wall();
        this.#complete.set(item.folder, { askAt: Number.NEGATIVE_INFINITY, asking: false });
        return;
      }
      this.counters.wrongModels += 1;
      item.wrong += 1;
      const reason = 'model: all of it came, and its sha256 is not the one in the manifest';
      if (item.wrong >= MOST_WRONG) this.#refuse(item, [reason]);
      else this.#later(item, reason);
    });
  }

  /** One thing after the other. What fails is said, and tried again later. */
  #do(item: Item, work: () => Promise<void>): void {
    this.#work = this.#work
      .then(work)
      .catch((error: unknown) => {
        this.#download = undefined;
        this.#finishing = false;
        const kind = kindOfFailure(error) === 'disk-full' ? 'the disk is full' : 'the disk fails';
        this.#later(item, `disk: ${kind}: ${messageOf(error)}`);
      })
      .then(() => this.tick());
  }

  #later(item: Item, reason: string): void {
    if (item.stage !== 'offered') return;
    if (item.reasons[0] !== reason) this.#parts.onEvent({ event: 'policy-waits', policy: item.folder, reason });
    item.reasons = [reason];
    item.retryAt = this.#parts.now() + Math.min(LONGEST_RETRY, FIRST_RETRY * 2 ** item.failures);
    item.failures += 1;
  }

  #refuse(item: Item, reasons: string[]): void {
    const news = JSON.stringify(item.reasons) !== JSON.stringify(reasons);
    item.stage = 'refused';
    item.reasons = reasons;
    if (news) {
      item.since = this.#parts.wall();
      this.#parts.onEvent({ event: 'policy-refused', policy: item.folder, reasons });
    }
    void this.#removeFolder(item.folder);
    const refused = [...this.#items.values()].filter(({ stage }) => stage === 'refused');
    for (const old of refused.slice(0, -MOST_REFUSED)) this.#items.delete(old.folder);
  }

  #forget({ folder }: Item): void {
    this.#items.delete(folder);
    void this.#removeFolder(folder);
  }

  #askForChunks(now: number): void {
    const download = this.#download;
    if (!download || !this.#connected || this.#finishing) return;
    const want = download.ask(now);
    if (!want) return;
    const item = this.#items.get(folderOf(download.offer));
    const othersWait = [...this.#items.values()].some((other) => other !== item && other.stage === 'offered');
    if (item && download.fruitless > (othersWait ? MOST_FRUITLESS / 25 : MOST_FRUITLESS)) {
      // Whoever offered it is gone. What came of it stays for when it is offered again, unless others come first.
      this.#download = undefined;
      if (othersWait) this.#later(item, `download: ${item.offer.from} does not answer`);
      else this.#refuse(item, [`download: ${item.offer.from} does not answer`]);
      return;
    }
    this.counters.wants += 1;
    this.#parts.want(want);
  }

  #askControl(now: number): void {
    if (this.#known === undefined) return;
    for (const [folder, state] of this.#complete) {
      if (state.asking || state.askAt > now) continue;
      state.asking = true;
      void this.#parts
        .vet(folder)
        .then(
          (answer) => (answer.ok ? '' : `${answer.refusal.code}: ${answer.refusal.message}`),
          (error: unknown) => `control: ${messageOf(error)}`,
        )
        .then((problem) => {
          state.asking = false;
          state.askAt = this.#parts.now() + LONGEST_RETRY / 4;
          const item = this.#items.get(folder);
          if (item) item.reasons = problem === '' ? [] : [problem];
        });
    }
  }

  /** What control has copied or refused need not lie here any more. */
  #seeWhatBecame(policies: Status['policies']): void {
    for (const folder of this.#complete.keys()) {
      const version = policies.find((one) => one.folder === folder);
      const offer = this.#offered.get(folder);
      if (!version && !(offer && knownVersion(offer, policies))) continue;
      if (version && (version.stage === 'offered' || version.stage === 'downloaded')) continue;
      this.#complete.delete(folder);
      const item = this.#items.get(folder);
      if (item && version?.stage === 'refused' && version.keyId === undefined) {
        item.byControl = true;
        this.#refuse(item, [...version.reasons]);
      } else if (item) this.#forget(item);
      else void this.#removeFolder(folder);
    }
  }

  async #removeFolder(folder: string): Promise<void> {
    this.#work = this.#work
      .then(() => this.#parts.incoming.remove(folder))
      .catch((error: unknown) =>
        this.#parts.onEvent({ event: 'policy-not-removed', folder, problem: messageOf(error) }),
      );
    await this.#work;
  }

  #tell(now: number): void {
    if (!this.#connected || this.#known === undefined) return;
    const status = policyStatusOf(this.#known, this.#onTheirWay(), this.#offered, this.#parts.wall());
    const { at: _, ...said } = status;
    const text = JSON.stringify(said);
    if (text === this.#published) return;
    const key = statusKey(status);
    if (this.#published !== '' && key === this.#publishedKey && now - this.#publishedAt < NUMBERS_PERIOD) return;
    this.#published = text;
    this.#publishedKey = key;
    this.#publishedAt = now;
    this.#parts.publish({ ...status, schema: MQTT_SCHEMA });
  }

  #onTheirWay(): OnItsWay[] {
    return [...this.#items.values()].map(({ folder, offer, stage, reasons, since }) => {
      const download = this.#download && folderOf(this.#download.offer) === folder ? this.#download : undefined;
      const chunks = download && { have: download.held, of: offer.chunks };
      return { folder, offer, stage, reasons, since, ...(chunks && { chunks }) };
    });
  }
}

function forgetOldest(map: Map<string, unknown>, most: number): void {
  for (const key of map.keys()) {
    if (map.size <= most) return;
    map.delete(key);
  }
}
