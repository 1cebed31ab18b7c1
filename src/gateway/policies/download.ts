import { ChunkMap } from '../../messages/bulk/chunk-map.ts';
import { MQTT_SCHEMA } from '../../messages/mqtt-payloads.ts';
import { type PolicyOffer, type PolicyWant, policyChunkHeader } from '../../messages/mqtt-policy.ts';
import { crc32 } from '../../protocol/crc32.ts';
import { chunkLength } from './incoming.ts';

/** How long a chunk may be away until the robot asks again, at first and at most [ms]. */
const FIRST_PATIENCE = 2000;
const LONGEST_PATIENCE = 60_000;
/** Questions in a row that nobody answered, and then nobody will: two and a half hours. */
export const MOST_FRUITLESS = 150;

export type ChunkFate = 'wanted' | 'foreign' | 'corrupt' | 'duplicate';

/** Which chunks of one model are there, and when to ask for the rest. Knows no disk and no clock. */
export class Download {
  readonly offer: PolicyOffer;
  /** questions since a chunk came */
  fruitless = 0;
  readonly #have: boolean[];
  /** chunks on their way to the disk */
  readonly #writing = new Set<number>();
  #attempt = 0;
  #askAt = Number.NEGATIVE_INFINITY;

  constructor(offer: PolicyOffer, have: readonly boolean[]) {
    this.offer = offer;
    this.#have = [...have];
  }

  get held(): number {
    return this.#have.filter(Boolean).length;
  }

  get complete(): boolean {
    return this.#have.every(Boolean);
  }

  /** What to ask for now, if it is time. @param now monotonic [ms] */
  ask(now: number): PolicyWant | undefined {
    if (this.complete || now < this.#askAt) return undefined;
    const { from, id, version, model } = this.offer;
    const want = {
      schema: MQTT_SCHEMA,
      to: from,
      id,
      version,
      sha256: model.sha256,
      have: ChunkMap.of(this.#have).toString(),
      attempt: this.#attempt,
    } as const;
    this.#attempt += 1;
    this.fruitless += 1;
    this.#askAt = now + Math.min(LONGEST_PATIENCE, FIRST_PATIENCE * 2 ** (this.fruitless - 1));
    return want;
  }

  /** The way to the broker is there again: what was asked may be lost. */
  askAgain(): void {
    this.#askAt = Number.NEGATIVE_INFINITY;
    this.fruitless = 0;
  }

  /**
   * What a chunk is to this download. One that is wanted is on its way to the disk from then on: `kept` or `dropped` follows.
   * @param properties user properties of the message
   */
  take(properties: unknown, bytes: Uint8Array, now: number): { readonly fate: ChunkFate; readonly n: number } {
    const header = policyChunkHeader.safeParse(properties);
    if (!header.success || header.data.sha256 !== this.offer.model.sha256) return { fate: 'foreign', n: -1 };
    const n = Number(header.data.n);
    if (n >= this.offer.chunks) return { fate: 'foreign', n };
    const good = bytes.length === chunkLength(this.offer, n) && crc32(bytes) === Number.parseInt(header.data.crc32, 16);
    if (!good) return { fate: 'corrupt', n };
    if (this.#have[n] || this.#writing.has(n)) return { fate: 'duplicate', n };
    this.#writing.add(n);
    this.fruitless = 0;
    this.#askAt = now + FIRST_PATIENCE;
    return { fate: 'wanted', n };
  }

  kept(n: number): void {
    this.#writing.delete(n);
    this.#have[n] = true;
  }

  dropped(n: number): void {
    this.#writing.delete(n);
  }
}
