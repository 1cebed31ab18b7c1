import { decodeTapeBlock } from '../messages/tape-block.ts';
import { CHUNK_BYTES, eventMessage, gapEvent, tapeMessage, transitionMessage } from './channels.ts';
import type { RawChannels } from './raw-channels.ts';
import { peekRow, type RowGlance, type RowKey } from './row-key.ts';
import type { SequenceBook } from './sequence-book.ts';
import { Missing, type Waiting, WaitingLine } from './waiting-line.ts';

/** The recorder's door: what comes in is checked, told apart from repetitions, and put in line. All of it at once. */
export class Intake {
  readonly counters = {
    /** rows taken for recording */
    rowsTaken: 0,
    /** rows that are on the medium */
    rowsDurable: 0,
    /** rows that came a second time */
    rowsDuplicate: 0,
    /** rows that had no room while the disk was slow, full or broken */
    rowsDropped: 0,
    /** bytes that are no row of the layout that this program knows */
    rowsMalformed: 0,
    /** blocks of the tape taken for recording */
    tapeTaken: 0,
    /** blocks of the tape that came a second time */
    tapeDuplicate: 0,
    /** blocks of the tape that had no room, or are none; a replay begins anew after them */
    tapeDropped: 0,
    /** events that had no room or cannot be written as JSON */
    eventsDropped: 0,
  };
  readonly #book: SequenceBook;
  readonly #tapeBook: SequenceBook;
  readonly #line: WaitingLine;
  readonly #missing = new Missing();
  #events = 0;
  #entered = 0;
  #written = 0;
  #wanted = 0;
  /** of the row that was taken last */
  #stopped: { readonly boot: bigint; readonly stopped: boolean } | undefined;

  /** @param tapeBook which blocks of the tape have been taken, by number */
  constructor(book: SequenceBook, tapeBook: SequenceBook, waitingBytes: number) {
    this.#book = book;
    this.#tapeBook = tapeBook;
    this.#line = new WaitingLine(waitingBytes);
  }

  get waiting(): number {
    return this.#line.length;
  }

  /** Share of the line that is taken. */
  get fullness(): number {
    return this.#line.fullness;
  }

  get hasChunk(): boolean {
    return this.#line.bytes >= CHUNK_BYTES;
  }

  /** There is something to write now: a chunk, or what is not to wait for the rest of one. */
  get isDue(): boolean {
    return this.#line.length > 0 && (this.hasChunk || this.#wanted > this.#written);
  }

  /**
   * One encoded row; it is copied.
   * @param excuse why there is no room, should there be none
   */
  row(
    bytes: Uint8Array,
    wallNs: bigint,
    excuse: string,
  ): (RowGlance & { outcome: 'taken' | 'dropped' | 'repeated' }) | undefined {
    const key = peekRow(bytes);
    if (key === undefined) {
      this.counters.rowsMalformed += 1;
      return undefined;
    }
    const { boot, sequence } = key;
    if (this.#book.isTaken(key)) {
      this.counters.rowsDuplicate += 1;
      return { ...key, outcome: 'repeated' };
    }
    const message = transitionMessage(bytes, key, key.wallNs);
    if (!this.#line.hasRoomFor(message)) {
      this.counters.rowsDropped += 1;
      this.#missing.add(excuse, this.#book.lastTaken);
      return { ...key, outcome: 'dropped' };
    }
    this.settleGap(wallNs, key);
    this.#book.take(key);
    this.counters.rowsTaken += 1;
    const seal = this.#sealAfter(key);
    this.#enter({ message, key: { boot, sequence }, ...(seal && { seal }) });
    if (seal) this.hurry();
    return { ...key, outcome: 'taken' };
  }

  /**
   * One block of the tape; it is copied.
   * @param raw makes the messages of single sensors from it; they stand before the block, or neither they nor it
   * @returns whether it was taken
   */
  tape(bytes: Uint8Array, raw?: RawChannels): boolean {
    const block = decodeTapeBlock(bytes);
    const key = block && { boot: block.boot, sequence: block.number };
    if (key && this.#tapeBook.isTaken(key)) {
      this.counters.tapeDuplicate += 1;
      return false;
    }
    const message = block && tapeMessage(bytes, block);
    const single = block ? (raw?.messagesOf(block) ?? []) : [];
    if (!message || !key || !this.#line.hasRoomFor(message, ...single)) {
      this.counters.tapeDropped += 1;
      return false;
    }
    this.#tapeBook.take(key);
    this.counters.tapeTaken += 1;
    const tape = { ...key, firstSequence: block.sequence };
    // Before the block: it is what says, after a crash, that all of this is there.
    for (const one of single) this.#enter({ message: one, tape });
    this.#enter({ message, tape });
    return true;
  }

  /** @returns whether it was taken */
  event(event: object, wallNs: bigint): boolean {
    const message = eventMessage(event, this.#events, wallNs);
    if (message === undefined || !this.#line.hasRoomFor(message)) {
      this.counters.eventsDropped += 1;
      return false;
    }
    this.#events += 1;
    this.#enter({ message });
    return true;
  }

  /**
   * Rows that were dropped become a gap event before the row that comes after them. It is never refused for want of room:
   * there is at most one for each row that is taken.
   */
  settleGap(wallNs: bigint, next?: RowKey): void {
    const gap = this.#missing.settle(next);
    const message = gap && eventMessage(gapEvent(gap), this.#events++, wallNs);
    if (message) this.#enter({ message });
  }

  /** Nothing that is in line now waits for a chunk to fill. */
  hurry(): void {
    this.#wanted = this.#entered;
  }

  /** What is to be written next. */
  head(): readonly Waiting[] {
    return this.#line.head();
  }

  /** The first of the line are on the medium. */
  written(batch: readonly Waiting[]): void {
    this.#line.drop(batch.length);
    this.#written += batch.length;
    const last = batch.findLast(({ key }) => key)?.key;
    if (last) this.#book.commit(last);
    for (const { key } of batch) if (key) this.counters.rowsDurable += 1;
  }

  /** What is still in line gets nowhere. */
  giveUp(): void {
    for (const { key } of this.#line.drop(this.#line.length)) if (key) this.counters.rowsDropped += 1;
    this.#written = this.#entered;
  }

  /** A segment ends where an episode ends, and with the row in which an e-stop shows: both are worth having soon. */
  #sealAfter({ boot, ends, stopped }: RowGlance): Waiting['seal'] {
    const before = this.#stopped;
    this.#stopped = { boot, stopped };
    if (stopped && before?.boot === boot && !before.stopped) return 'now';
    return ends ? 'if-old' : undefined;
  }

  #enter(waiting: Waiting): void {
    this.#line.push(waiting);
    this.#entered += 1;
  }
}
