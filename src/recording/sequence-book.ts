import type { RowKey } from './row-key.ts';

/** Runs of `control` that are remembered; an older one does not come back. */
const BOOTS = 8;

/** Which rows have been taken, and which are on the disk. Rows of one boot come in rising order or not at all. */
export class SequenceBook {
  readonly #taken = new Map<bigint, bigint>();
  readonly #durable = new Map<bigint, bigint>();
  #lastTaken: RowKey | undefined;
  #lastDurable: RowKey | undefined;

  /** The row that was taken last. */
  get lastTaken(): RowKey | undefined {
    return this.#lastTaken;
  }

  /** The row that became durable last. */
  get lastDurable(): RowKey | undefined {
    return this.#lastDurable;
  }

  isTaken({ boot, sequence }: RowKey): boolean {
    const last = this.#taken.get(boot);
    return last !== undefined && sequence <= last;
  }

  isDurable({ boot, sequence }: RowKey): boolean {
    const last = this.#durable.get(boot);
    return last !== undefined && sequence <= last;
  }

  /** The last durable row of a boot. */
  durableOf(boot: bigint): RowKey | undefined {
    const sequence = this.#durable.get(boot);
    return sequence === undefined ? undefined : { boot, sequence };
  }

  take({ boot, sequence }: RowKey): void {
    this.#lastTaken = { boot, sequence };
    remember(this.#taken, boot, sequence);
  }

  /** Everything up to this row is on the disk. */
  commit({ boot, sequence }: RowKey): void {
    this.#lastDurable = { boot, sequence };
    remember(this.#durable, boot, sequence);
  }
}

function remember(book: Map<bigint, bigint>, boot: bigint, sequence: bigint): void {
  // Deleted and set again, a boot moves to the end: the first one is the one not heard of for longest.
  book.delete(boot);
  book.set(boot, sequence);
  for (const oldest of book.keys()) {
    if (book.size <= BOOTS) break;
    book.delete(oldest);
  }
}
