import { messageOf } from '../errors.ts';
import type { AuditFiles } from './audit-files.ts';
import { type AuditRecord, type ChainHead, chainLine, NO_ENTRY } from './chain.ts';
import { DROPPED, PRUNED, REPAIRED } from './check-chain.ts';

export interface AuditLogOptions {
  readonly files: Pick<AuditFiles, 'bytes' | 'open' | 'append' | 'rotate' | 'tooOld' | 'remove' | 'close'>;
  /** run of control */
  readonly boot: string;
  /** CLOCK_MONOTONIC [ms] */
  readonly now: () => number;
  /** [ms since 1970] */
  readonly wall: () => number;
  /** at least this much is kept [bytes] */
  readonly keepBytes: number;
  /** resolves after so long [ms] */
  readonly pause: (milliseconds: number) => Promise<void>;
  /** told when the disk fails, and with an empty text when it works again */
  readonly onProblem?: (problem: string) => void;
}

/** Entries that wait for the disk; more are counted and not kept. */
export const MOST_WAITING = 512;
/** Entries that are written at a time: their hashes are made in one turn of control's event loop. */
const BATCH = 16;
/** Files that `keepBytes` is spread over, and their least and greatest length [bytes]. */
const FILES = 8;
const LEAST_FILE = 64 << 10;
const GREATEST_FILE = 8 << 20;
/** Between two attempts on a disk that fails [ms]. */
const RETRY = 1000;
/** A disk that takes longer than this for one batch is called slow [ms]. */
const SLOW = 2000;

/**
 * The audit log of one run of control: an append-only chain. `record` only puts an entry into a bounded queue; a disk that
 * is slow or dead costs entries, which are counted, and never a tick or a stop.
 */
export class AuditLog {
  readonly counters = {
    /** entries that are on disk, of this run */
    written: 0,
    /** entries that were not kept because the disk was too slow */
    dropped: 0,
    /** attempts to write that failed */
    failures: 0,
  };
  readonly #options: AuditLogOptions;
  readonly #fileBytes: number;
  #waiting: AuditRecord[] = [];
  #head: ChainHead = NO_ENTRY;
  #opened = false;
  #failure = '';
  #busySince: number | undefined;
  #running: Promise<void> | undefined;
  /** entries that found no room since the last one that did, by event */
  #lost: Map<string, number> | undefined;
  #stopping = false;

  constructor(options: AuditLogOptions) {
    this.#options = options;
    this.#fileBytes = Math.min(Math.max(options.keepBytes / FILES, LEAST_FILE), GREATEST_FILE);
  }

  /** The last entry that is on disk; `undefined` while the log could not be opened. */
  get head(): ChainHead | undefined {
    return this.#opened ? this.#head : undefined;
  }

  /** Why entries are not on disk; empty if they are. */
  get problem(): string {
    if (this.#failure !== '') return this.#failure;
    const since = this.#busySince;
    const slow = since !== undefined && this.#options.now() - since > SLOW;
    return slow ? `the disk is slow: ${this.#waiting.length} entries wait for it` : '';
  }

  record(event: string, who: string, details: Readonly<Record<string, unknown>> = {}): void {
    if (this.#waiting.length >= MOST_WAITING) {
      this.counters.dropped += 1;
      this.#lost ??= new Map();
      this.#lost.set(event, (this.#lost.get(event) ?? 0) + 1);
    } else this.#put(event, who, details);
    this.#run();
  }

  /** Writes what waits, but not for longer than this [ms]. */
  async stop(patience: number): Promise<void> {
    await Promise.race([this.settled(), this.#options.pause(patience)]);
    this.#stopping = true;
    // A disk that hangs hangs with that, too.
    if (this.#running === undefined) await this.#options.files.close();
  }

  /** Resolves when nothing waits any more. */
  settled(): Promise<void> {
    return this.#running ?? Promise.resolve();
  }

  #put(event: string, who: string, details: Readonly<Record<string, unknown>>): void {
    const { boot, now, wall } = this.#options;
    this.#waiting.push({ boot, wall: wall(), mono: now(), event, who, details });
  }

  #run(): void {
    this.#running ??= this.#drain().finally(() => {
      this.#running = undefined;
    });
  }

  async #drain(): Promise<void> {
    // Out of the turn of the event loop in which a stop goes out.
    await this.#options.pause(0);
    while (this.#waiting.length > 0 && !this.#stopping) {
      this.#busySince = this.#options.now();
      try {
        await this.#write();
        this.#told('');
      } catch (error) {
        this.counters.failures += 1;
        this.#told(messageOf(error));
        await this.#options.pause(RETRY);
      }
      this.#busySince = undefined;
    }
  }

  async #write(): Promise<void> {
    const { files } = this.#options;
    if (!this.#opened) await this.#open();
    const batch = this.#waiting.slice(0, BATCH);
    let head = this.#head;
    let text = '';
    for (const record of batch) {
      const next = chainLine(head, record);
      head = next.head;
      text += `${next.line}\n`;
    }
    const same = await files.append(text);
    this.#head = head;
    this.counters.written += batch.length;
    this.#waiting.splice(0, batch.length);
    this.#tellLost();
    if (!same) this.#put('audit-file-taken', '', { says: 'the file was removed or replaced while it was written' });
    if (files.bytes >= this.#fileBytes) await this.#rotate();
  }

  async #open(): Promise<void> {
    const { head, torn, strangeLines } = await this.#options.files.open();
    this.#head = head;
    this.#opened = true;
    const found: AuditRecord[] = [];
    const { boot, now, wall } = this.#options;
    const note = (event: string, details: Record<string, unknown>) =>
      found.push({ boot, wall: wall(), mono: now(), event, who: '', details });
    if (torn) note(REPAIRED, { ...torn });
    if (strangeLines > 0) note('audit-strange-lines', { lines: strangeLines });
    this.#waiting.unshift(...found);
  }

  /** Room again: what found none comes after what did, and before what comes next. */
  #tellLost(): void {
    const lost = this.#lost;
    if (!lost) return;
    this.#lost = undefined;
    const count = [...lost.values()].reduce((sum, times) => sum + times, 0);
    this.#put(DROPPED, '', { count, events: Object.fromEntries(lost), why: this.problem });
  }

  async #rotate(): Promise<void> {
    const { files, keepBytes } = this.#options;
    await files.rotate();
    const old = await files.tooOld(keepBytes);
    if (!old) return;
    // First it is said, then done: what a crash leaves is more than was promised, not less.
    const { boot, now, wall } = this.#options;
    const { index: through, hash } = old.through;
    const record = { boot, wall: wall(), mono: now(), event: PRUNED, who: '', details: { through, hash } };
    const { line, head } = chainLine(this.#head, record);
    await files.append(`${line}\n`);
    this.#head = head;
    this.counters.written += 1;
    await files.remove(old.files);
  }

  #told(failure: string): void {
    if (failure === this.#failure) return;
    this.#failure = failure;
    this.#options.onProblem?.(failure);
  }
}
