import type { McapTypes } from '@mcap/core';
import { CHUNK_BYTES, type Gap, sizeOf } from './channels.ts';
import type { RowKey } from './row-key.ts';

/** A message on its way to the disk; rows and blocks of the tape have a key. */
export interface Waiting {
  readonly message: McapTypes.Message;
  readonly key?: RowKey;
  /** a block of the tape, or a message that was made from it: the block's number in place of a row's sequence, and the sequence of its first frame */
  readonly tape?: RowKey & { readonly firstSequence: bigint };
  /** the segment is to be sealed after it: at once, or only when it is old enough */
  readonly seal?: 'now' | 'if-old';
}

/** Messages that wait for the disk: at most so many bytes. What no longer fits is refused, and counted by the caller. */
export class WaitingLine {
  readonly #limit: number;
  readonly #line: Waiting[] = [];
  #bytes = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get length(): number {
    return this.#line.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Share of the limit that is taken. */
  get fullness(): number {
    return this.#bytes / this.#limit;
  }

  hasRoomFor(...messages: readonly McapTypes.Message[]): boolean {
    return messages.reduce((bytes, message) => bytes + sizeOf(message), this.#bytes) <= this.#limit;
  }

  push(waiting: Waiting): void {
    this.#line.push(waiting);
    this.#bytes += sizeOf(waiting.message);
  }

  /** What is written together next, without taking it out: at most a chunk, of one boot and one segment. */
  head(): readonly Waiting[] {
    let bytes = 0;
    let boot: bigint | undefined;
    let count = 0;
    for (const { message, key, tape, seal } of this.#line) {
      bytes += sizeOf(message);
      if (count > 0 && bytes > CHUNK_BYTES) break;
      const own = (key ?? tape)?.boot;
      if (own !== undefined && boot !== undefined && own !== boot) break;
      boot ??= own;
      count += 1;
      if (seal) break;
    }
    return this.#line.slice(0, count);
  }

  /** @returns what has been taken out */
  drop(count: number): readonly Waiting[] {
    const gone = this.#line.splice(0, count);
    for (const { message } of gone) this.#bytes -= sizeOf(message);
    return gone;
  }
}

/** Rows that were refused since the last one that was taken. */
export class Missing {
  #gap: { reason: string; rows: number; after: RowKey | undefined } | undefined;

  add(reason: string, after: RowKey | undefined): void {
    this.#gap ??= { reason, rows: 0, after };
    this.#gap.rows += 1;
  }

  /**
   * The gap before a row, or the open one at the end of all rows; then there is none any more. No gap when the sender has
   * come back to the first row that was missing.
   */
  settle(next?: RowKey): Gap | undefined {
    const gap = this.#gap;
    this.#gap = undefined;
    const after = gap?.after;
    const closed = next && after && next.boot === after.boot && next.sequence === after.sequence + 1n;
    return closed ? undefined : gap;
  }
}
