import { ChunkMap } from '../../messages/bulk/chunk-map.ts';

/** Chunks that may be under way without the trainer's word that they are there: what waits in the broker is bounded. */
const AHEAD = 16;

/**
 * Which chunks of a segment go to the trainer that has claimed it, and when again. Only the trainer's word counts: a broker
 * that took a chunk may have died with it.
 */
export class Sending {
  readonly #length: number;
  #there: ChunkMap;
  /** chunks that are not there, by when they were sent: numbers rise; those not sent are not in it */
  readonly #sent = new Map<number, number>();
  /** sent chunks of which the broker has not yet said anything */
  readonly #inFlight = new Set<number>();
  #counter = 0;
  /** the counter when the claim before came, and its map */
  #counterAtClaim = 0;
  #last = '';
  #cursor = 0;

  constructor(length: number) {
    this.#length = length;
    this.#there = new ChunkMap(length);
  }

  /** chunks that the trainer has */
  get there(): number {
    return this.#there.count;
  }

  /** A claim or renewal came, with what the trainer has. */
  claimed(have: ChunkMap): void {
    this.#there = have;
    let newest = -1;
    for (const [n, when] of this.#sent) if (have.has(n)) newest = Math.max(newest, when);
    // The same word twice: nothing came in between, so what was under way before the first is not under way any more.
    const said = have.toString();
    const stale = said === this.#last ? this.#counterAtClaim : 0;
    for (const [n, when] of this.#sent) {
      if (this.#inFlight.has(n)) continue;
      // Of what was sent on one connection, nothing overtakes anything: what is behind a chunk that came will not come.
      if (have.has(n) || when < newest || when < stale) this.#sent.delete(n);
    }
    this.#last = said;
    this.#counterAtClaim = this.#counter;
    this.#cursor = 0;
  }

  /** @returns the next chunk to send; `undefined` while there is nothing to do but wait for the trainer's word */
  next(): number | undefined {
    if (this.#sent.size >= AHEAD) return undefined;
    for (; this.#cursor < this.#length; this.#cursor++) {
      if (!this.#there.has(this.#cursor) && !this.#sent.has(this.#cursor)) return this.#cursor;
    }
    return undefined;
  }

  sent(n: number): void {
    this.#sent.set(n, this.#counter++);
    this.#inFlight.add(n);
  }

  /** What the broker says of a chunk that was sent. */
  settled(n: number, taken: boolean): void {
    this.#inFlight.delete(n);
    if (taken) return;
    this.#sent.delete(n);
    this.#cursor = Math.min(this.#cursor, n);
  }
}
