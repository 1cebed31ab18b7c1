import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { EdgeError, messageOf } from '../errors.ts';
import { bootText, CHUNK_BYTES, eventMessage, type Gap, gapEvent, transitionMessage } from './channels.ts';
import { type RecorderClock, systemClock } from './clock.ts';
import { type Disk, kindOfFailure, realDisk } from './disk.ts';
import { RESERVE_BYTES, Reserve } from './reserve.ts';
import { peekRow, type RowKey } from './row-key.ts';
import { PART, SEALED, segmentStem } from './segment-name.ts';
import { SegmentWriter } from './segment-writer.ts';
import { SequenceBook } from './sequence-book.ts';
import { lastRows, repairAll } from './stock.ts';
import { Missing, WaitingLine } from './waiting-line.ts';

export interface RecorderLimits {
  /** length at which a segment is sealed [bytes] */
  readonly segmentBytes: number;
  /** age at which a segment is sealed [s] */
  readonly segmentSeconds: number;
  /** space that is left to others: with less, recording stops [bytes] */
  readonly minimumFreeBytes: number;
  /** messages that wait for a slow disk; what does not fit is dropped and counted [bytes] */
  readonly waitingBytes: number;
}

export const DEFAULT_LIMITS: RecorderLimits = {
  segmentBytes: 16 << 20,
  segmentSeconds: 60,
  minimumFreeBytes: 64 << 20,
  waitingBytes: 4 << 20,
};

export interface RecorderProblem {
  /** the first two stop the recording until they are over; the others are news */
  readonly kind: 'disk-full' | 'io-error' | 'too-slow' | 'segment-damaged';
  readonly message: string;
}

export interface RecorderOptions {
  readonly directory: string;
  /** name of the robot, as in its configuration */
  readonly robot: string;
  /** version of this software */
  readonly revision: string;
  readonly clock?: RecorderClock;
  readonly disk?: Disk;
  readonly limits?: Partial<RecorderLimits>;
  /** anything else that a segment is to say about itself, such as the mode */
  readonly behaviour?: Readonly<Record<string, string>>;
  /** every row of this boot up to this one is on the medium, or is accounted for by a gap; must not throw */
  readonly onDurable: (last: RowKey) => void;
  /** told once per problem; must not throw */
  readonly onProblem: (problem: RecorderProblem) => void;
  /** recording goes on after a `disk-full` or `io-error`; must not throw */
  readonly onRecovered?: () => void;
}

/** A chunk waits this long for more rows [ms]. */
const COMMIT_MS = 250;
/** How often a recorder that has stopped looks whether it can go on [ms]. */
const RETRY_MS = 5_000;
/** How often free space is looked at while recording [ms]. */
const SPACE_CHECK_MS = 1_000;

/** No space left: found by looking, before the file system says so. */
class DiskFull extends Error {
  readonly code = 'ENOSPC';
}

/**
 * Puts rows and events on the disk. `row`, `event` and `gap` return at once and never throw; `onDurable` says when rows are
 * safe. Inside there is one operation at a time.
 */
export class Recorder {
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
    /** events that had no room */
    eventsDropped: 0,
    /** segments sealed */
    segmentsSealed: 0,
    /** segments of an earlier run that were repaired */
    segmentsRepaired: 0,
    /** times that the recording had to stop */
    stops: 0,
  };
  readonly #options: RecorderOptions;
  readonly #limits: RecorderLimits;
  readonly #clock: RecorderClock;
  readonly #disk: Disk;
  readonly #reserve: Reserve;
  readonly #book = new SequenceBook();
  readonly #line: WaitingLine;
  readonly #missing = new Missing();
  #behaviour: Readonly<Record<string, string>>;
  #writer: { readonly file: SegmentWriter; readonly boot: bigint; readonly openedMs: number } | undefined;
  #problem: RecorderProblem | undefined;
  #reported = '';
  #stoppedAtMs = 0;
  #running: Promise<void> | undefined;
  #started = false;
  #ending = false;
  #slow = false;
  #events = 0;
  /** messages ever put in line, and how many of them were waited for or are done with */
  #entered = 0;
  #wanted = 0;
  #left = 0;
  #sealWanted = false;
  #spaceCheckedMs = Number.NEGATIVE_INFINITY;
  #cancelCommit: (() => void) | undefined;
  #cancelSeal: (() => void) | undefined;
  #cancelRetry: (() => void) | undefined;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#clock = options.clock ?? systemClock;
    this.#disk = options.disk ?? realDisk;
    this.#reserve = new Reserve(this.#disk, options.directory);
    this.#line = new WaitingLine(this.#limits.waitingBytes);
    this.#behaviour = options.behaviour ?? {};
  }

  /** What keeps it from recording, if anything does. */
  get problem(): RecorderProblem | undefined {
    return this.#problem;
  }

  /** The row that became durable last, of this run or, before that, of the one before. */
  lastDurable(): RowKey | undefined {
    return this.#book.lastDurable;
  }

  /**
   * Repairs what an earlier run left open and learns which rows are already there. A full disk is no error but a problem.
   * @throws EdgeError `recordingFailed` when the folder cannot be used at all
   */
  async start(): Promise<void> {
    const { directory } = this.#options;
    try {
      await mkdir(directory, { recursive: true });
      await this.#repair();
      for (const key of await lastRows(directory)) {
        this.#book.take(key);
        this.#book.commit(key);
      }
    } catch (error) {
      throw new EdgeError(
        'recordingFailed',
        `cannot record into ${directory}: ${messageOf(error)}`,
        'name a folder that this user may write to',
        { cause: error },
      );
    }
    this.#started = true;
    await this.#exclusively(async () => {
      try {
        await this.#checkSpace();
        await this.#reserve.hold();
      } catch (error) {
        await this.#stumble(error);
      }
    });
    this.#kick();
  }

  /** One encoded row; it is copied. */
  row(bytes: Uint8Array): void {
    const key = peekRow(bytes);
    if (key === undefined) {
      this.counters.rowsMalformed += 1;
      return;
    }
    if (this.#book.isTaken(key)) {
      this.counters.rowsDuplicate += 1;
      this.#acknowledgeAgain(key);
      return;
    }
    const message = transitionMessage(bytes, key, key.wallNs);
    if (!this.#line.hasRoomFor(message)) {
      this.counters.rowsDropped += 1;
      this.#missing.add(this.#problem?.kind ?? 'too-slow', this.#book.lastTaken);
      this.#reportSlow();
      return;
    }
    this.#settle(key);
    this.#slow = false;
    this.#book.take(key);
    this.counters.rowsTaken += 1;
    this.#enter({ message, key: { boot: key.boot, sequence: key.sequence } });
  }

  /** Something that happened; stored as JSON with the time of this call. */
  event(event: object): void {
    const message = eventMessage(event, this.#events, this.#clock.wallNs());
    if (!this.#line.hasRoomFor(message)) {
      this.counters.eventsDropped += 1;
      return;
    }
    this.#events += 1;
    this.#enter({ message });
  }

  /** Rows that the caller knows to be missing; without `after` they are missing after the last row that came. */
  gap(gap: Gap): void {
    this.event(gapEvent({ ...gap, after: gap.after ?? this.#book.lastTaken }));
  }

  /** What the following segments say about themselves. */
  setBehaviour(behaviour: Readonly<Record<string, string>>): void {
    this.#behaviour = behaviour;
    this.#sealWanted = true;
    this.#kick();
  }

  /** Resolves when everything given so far is on the medium, or when a problem keeps it from there. */
  async flush(): Promise<void> {
    this.#settle();
    this.#wanted = this.#entered;
    await this.#kick();
  }

  /** Writes what waits, seals the segment and gives up the reserve. Never rejects. */
  async stop(): Promise<void> {
    this.#ending = true;
    this.#settle();
    this.#wanted = this.#entered;
    this.#sealWanted = true;
    await this.#kick();
    for (const cancel of [this.#cancelCommit, this.#cancelSeal, this.#cancelRetry]) cancel?.();
    // Only after a problem is there anything left.
    this.counters.rowsDropped += this.#line.rows;
    this.#line.drop(this.#line.length);
    await this.#reserve.release();
    this.#started = false;
  }

  #enter(waiting: Parameters<WaitingLine['push']>[0]): void {
    this.#line.push(waiting);
    this.#entered += 1;
    this.#cancelCommit ??= this.#clock.after(COMMIT_MS, () => {
      this.#cancelCommit = undefined;
      this.#wanted = this.#entered;
      this.#kick();
    });
    if (this.#line.bytes >= CHUNK_BYTES) this.#kick();
  }

  /** Rows that were dropped become a gap event before the row that comes after them. */
  #settle(next?: RowKey): void {
    const gap = this.#missing.settle(next);
    // Never refused for want of room: there is at most one for every row that was taken.
    if (gap) this.#enter({ message: eventMessage(gapEvent(gap), this.#events++, this.#clock.wallNs()) });
  }

  /** The sender has not heard that it is safe, or has forgotten. */
  #acknowledgeAgain(key: RowKey): void {
    const last = this.#book.durableOf(key.boot);
    if (last && this.#book.isDurable(key)) this.#options.onDurable(last);
  }

  #reportSlow(): void {
    if (this.#slow || this.#problem) return;
    this.#slow = true;
    const message = `the disk takes rows more slowly than they come; ${this.#line.length} messages wait, newer rows are dropped`;
    this.#options.onProblem({ kind: 'too-slow', message });
  }

  /** Does what is due, after what is being done. */
  #kick(): Promise<void> {
    if (!this.#started) return Promise.resolve();
    this.#running ??= this.#pump().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #pump(): Promise<void> {
    try {
      while (this.#problem === undefined) {
        const due = this.#line.bytes >= CHUNK_BYTES || this.#wanted > this.#left;
        if (due && this.#line.length > 0) await this.#commit();
        else if (this.#sealWanted) await this.#seal();
        else break;
      }
    } catch (error) {
      await this.#stumble(error);
    }
  }

  /** For what is not pumping, and must not happen beside it. */
  async #exclusively(work: () => Promise<void>): Promise<void> {
    while (this.#running) await this.#running;
    this.#running = work().finally(() => {
      this.#running = undefined;
    });
    await this.#running;
  }

  async #commit(): Promise<void> {
    const batch = this.#line.head();
    const first = batch.find(({ key }) => key)?.key;
    if (this.#writer && first && this.#writer.boot !== first.boot) await this.#seal();
    await this.#checkSpace();
    this.#writer ??= await this.#open(first);
    const { file } = this.#writer;
    await file.append(batch.map(({ message }) => message));
    this.#line.drop(batch.length);
    this.#left += batch.length;
    this.#reported = '';
    const last = batch.findLast(({ key }) => key)?.key;
    if (last) {
      this.counters.rowsDurable += batch.reduce((rows, { key }) => rows + (key ? 1 : 0), 0);
      this.#book.commit(last);
      this.#options.onDurable(last);
    }
    if (file.bytes >= this.#limits.segmentBytes) await this.#seal();
  }

  async #open(first: RowKey | undefined): Promise<NonNullable<typeof this.#writer>> {
    const { directory, robot, revision } = this.#options;
    const last = this.#book.lastDurable;
    // With no row yet it is named after the one that would come next.
    const { boot, sequence } = first ?? { boot: last?.boot ?? 0n, sequence: (last?.sequence ?? -1n) + 1n };
    const stem = await this.#freeStem({ robot, boot, firstSequence: sequence });
    const file = new SegmentWriter({
      disk: this.#disk,
      path: join(directory, `${stem}${PART}`),
      metadata: new Map([
        ...Object.entries(this.#behaviour),
        ['robot', robot],
        ['boot', bootText(boot)],
        ['revision', revision],
        ['openedWallNs', String(this.#clock.wallNs())],
        ['openedMonotonicMs', String(this.#clock.monotonicMs())],
      ]),
    });
    try {
      await file.open();
    } catch (error) {
      await file.abandon();
      await this.#disk.remove(file.path).catch(() => undefined);
      throw error;
    }
    this.#cancelSeal = this.#clock.after(1000 * this.#limits.segmentSeconds, () => {
      this.#sealWanted = true;
      this.#kick();
    });
    return { file, boot, openedMs: this.#clock.monotonicMs() };
  }

  /** A name that no segment has: nothing that was recorded is ever replaced. */
  async #freeStem(name: { robot: string; boot: bigint; firstSequence: bigint }): Promise<string> {
    for (let copy = 1; ; copy++) {
      const stem = segmentStem({ ...name, copy });
      const taken = await Promise.all(
        [PART, SEALED].map((ending) => this.#disk.exists(join(this.#options.directory, `${stem}${ending}`))),
      );
      if (!taken.includes(true)) return stem;
    }
  }

  async #seal(): Promise<void> {
    this.#sealWanted = false;
    this.#cancelSeal?.();
    const writer = this.#writer;
    if (writer === undefined) return;
    try {
      await writer.file.seal();
      this.counters.segmentsSealed += 1;
    } catch (error) {
      await writer.file.abandon();
      throw error;
    } finally {
      this.#writer = undefined;
    }
  }

  async #checkSpace(): Promise<void> {
    const now = this.#clock.monotonicMs();
    if (now - this.#spaceCheckedMs < SPACE_CHECK_MS) return;
    this.#spaceCheckedMs = now;
    const free = await this.#disk.freeBytes(this.#options.directory);
    if (free < this.#limits.minimumFreeBytes) {
      throw new DiskFull(
        `${this.#options.directory} has ${free} bytes free, and ${this.#limits.minimumFreeBytes} are left to others`,
      );
    }
  }

  /** Recording stops. What waits goes on waiting: nothing is lost before the line is full. */
  async #stumble(error: unknown): Promise<void> {
    const kind = kindOfFailure(error);
    if (kind === 'disk-full') await this.#reserve.release();
    // A segment that cannot be sealed stays a .part, to be repaired; all that was said to be safe is in it.
    await this.#seal().catch(() => undefined);
    this.counters.stops += 1;
    this.#stoppedAtMs = this.#clock.monotonicMs();
    this.#problem = { kind, message: messageOf(error) };
    this.#report(this.#problem);
    this.#armRetry();
  }

  #report(problem: RecorderProblem): void {
    if (this.#reported === problem.kind) return;
    this.#reported = problem.kind;
    this.#options.onProblem(problem);
  }

  #armRetry(): void {
    if (this.#ending) return;
    this.#cancelRetry = this.#clock.after(RETRY_MS, () => {
      void this.#exclusively(() => this.#retry()).then(() => this.#kick());
    });
  }

  async #retry(): Promise<void> {
    const problem = this.#problem;
    if (problem === undefined || this.#ending) return;
    const { minimumFreeBytes, segmentBytes } = this.#limits;
    try {
      const free = await this.#disk.freeBytes(this.#options.directory);
      // Room for a whole segment, or it would stop and start for every few rows.
      if (problem.kind === 'disk-full' && free < minimumFreeBytes + segmentBytes + RESERVE_BYTES) {
        this.#armRetry();
        return;
      }
      await this.#reserve.hold();
      await this.#repair();
    } catch {
      this.#armRetry();
      return;
    }
    this.#problem = undefined;
    this.#spaceCheckedMs = Number.NEGATIVE_INFINITY;
    const stoppedMs = Math.round(this.#clock.monotonicMs() - this.#stoppedAtMs);
    this.event({ event: 'recording-resumed', after: problem.kind, message: problem.message, stoppedMs });
    this.#wanted = this.#entered;
    this.#options.onRecovered?.();
  }

  async #repair(): Promise<void> {
    for (const { file, repaired, failure } of await repairAll(this.#options.directory, this.#disk)) {
      if (repaired) this.counters.segmentsRepaired += 1;
      if (repaired && !repaired.keptAside) continue;
      const message = failure ?? `${file}: ${repaired?.reason}; kept aside as ${repaired?.keptAside}`;
      this.#options.onProblem({ kind: 'segment-damaged', message });
    }
  }
}
