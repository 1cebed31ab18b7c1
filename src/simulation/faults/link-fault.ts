import type { Random } from '../../random.ts';

/**
 * What a serial line can do to frames.
 *
 * - `flip`: each bit is turned with the probability `rate`
 * - `drop`, `duplicate`: each frame with the probability `rate`
 * - `reorder`: each frame, with that probability, changes places with the one after it
 * - `delay`: every frame comes `amount` ms late
 */
export const LINK_FAULTS = ['flip', 'drop', 'duplicate', 'reorder', 'delay'] as const;
export type LinkFaultKind = (typeof LINK_FAULTS)[number];

export interface LinkFaultOptions {
  readonly kind: LinkFaultKind;
  /** 0 to 1; default 1, and 0.001 for `flip` */
  readonly rate?: number;
  /** [ms] of `delay`; default 20 */
  readonly amount?: number;
  /** only so many frames are met; default: no end */
  readonly frames?: number;
  readonly random: Random;
}

const LONGEST_FRAME = 512;

/**
 * One direction of a disturbed line, in front of its `Wire`. It cuts the stream at the delimiter (PROTOCOL.md §2.5), so that what happens
 * depends on frames and not on the portions in which bytes come. Without a fault bytes pass as they are.
 */
export class LinkFault {
  readonly #pass: (bytes: Uint8Array) => void;
  #fault: LinkFaultOptions | undefined;
  #left = 0;
  #partial: number[] = [];
  #held: Uint8Array | undefined;
  #late: { readonly at: number; readonly bytes: Uint8Array }[] = [];

  /** @param pass takes the bytes that go on */
  constructor(pass: (bytes: Uint8Array) => void) {
    this.#pass = pass;
  }

  /** What is wrong now, for people. */
  get kind(): LinkFaultKind | undefined {
    return this.#fault?.kind;
  }

  /** @returns what ends this fault, and not one that has taken its place since */
  break(fault: LinkFaultOptions): () => void {
    this.mend();
    this.#fault = fault;
    this.#left = fault.frames ?? Number.POSITIVE_INFINITY;
    return () => {
      if (this.#fault === fault) this.mend();
    };
  }

  /** What is still held back goes on its way at once. */
  mend(): void {
    this.#fault = undefined;
    this.#release();
    for (const { bytes } of this.#late.splice(0)) this.#pass(bytes);
    this.#flush();
  }

  /** @param now [µs] */
  send(bytes: Uint8Array, now: number): void {
    if (!this.#fault && this.#partial.length === 0) {
      this.#pass(bytes);
      return;
    }
    for (const byte of bytes) {
      this.#partial.push(byte);
      // noise without a delimiter is handed on in pieces
      if (byte === 0 || this.#partial.length >= LONGEST_FRAME)
        this.#frame(Uint8Array.from(this.#partial.splice(0)), now);
    }
    if (!this.#fault) this.#flush();
  }

  /** Time has come so far. */
  tick(now: number): void {
    while (this.#late[0] && this.#late[0].at <= now) {
      const due = this.#late.shift();
      if (due) this.#pass(due.bytes);
    }
  }

  /** The plug was pulled: what is on the way is lost. */
  clear(): void {
    this.#partial = [];
    this.#held = undefined;
    this.#late = [];
  }

  #frame(bytes: Uint8Array, now: number): void {
    const fault = this.#fault;
    // an empty frame ends what came before, and is no frame that a line could single out
    if (!fault || bytes.length <= 1) {
      this.#pass(bytes);
      return;
    }
    if (fault.kind === 'delay') {
      this.#late.push({ at: now + (fault.amount ?? 20) * 1000, bytes });
      return;
    }
    if (fault.kind === 'flip') {
      this.#pass(this.#flipped(bytes, fault));
      return;
    }
    const met = this.#left > 0 && fault.random.uniform() < (fault.rate ?? 1);
    if (met && this.#held === undefined) this.#left -= 1;
    const held = this.#held;
    this.#held = undefined;
    switch (fault.kind) {
      case 'drop':
        if (!met) this.#pass(bytes);
        break;
      case 'duplicate':
        this.#pass(bytes);
        if (met) this.#pass(bytes);
        break;
      case 'reorder':
        if (held === undefined && met) this.#held = bytes;
        else this.#pass(bytes);
        if (held !== undefined) this.#pass(held);
        break;
    }
  }

  #flipped(bytes: Uint8Array, { random, rate = 0.001 }: LinkFaultOptions): Uint8Array {
    if (this.#left <= 0) return bytes;
    const flipped = bytes.map((byte) => {
      let changed = byte;
      for (let bit = 0; bit < 8; bit++) if (random.uniform() < rate) changed ^= 1 << bit;
      return changed;
    });
    if (flipped.some((byte, index) => byte !== bytes[index])) this.#left -= 1;
    return flipped;
  }

  #release(): void {
    const held = this.#held;
    this.#held = undefined;
    if (held) this.#pass(held);
  }

  #flush(): void {
    if (this.#partial.length > 0) this.#pass(Uint8Array.from(this.#partial.splice(0)));
  }
}
