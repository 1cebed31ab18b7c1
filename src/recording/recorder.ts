import { mkdir } from 'node:fs/promises';
import { EdgeError, messageOf } from '../errors.ts';
import { type Gap, gapEvent } from './channels.ts';
import { type RecorderClock, systemClock } from './clock.ts';
import { DirectoryLock } from './directory-lock.ts';
import { type Disk, kindOfFailure, realDisk } from './disk.ts';
import { Intake } from './intake.ts';
import { DEFAULT_LIMITS, type RecorderLimits } from './limits.ts';
import { RawChannels } from './raw-channels.ts';
import type { RecorderOptions, RecorderProblem } from './recorder-options.ts';
import { RESERVE_BYTES, Reserve } from './reserve.ts';
import { RollingSegments } from './rolling-segments.ts';
import type { RowKey } from './row-key.ts';
import { SequenceBook } from './sequence-book.ts';
import { type Dropped, Space } from './space.ts';
import { lastKeys, repairAll } from './stock.ts';

export type { RecorderOptions, RecorderProblem } from './recorder-options.ts';

/** A chunk waits this long for more rows [ms]. */
const COMMIT_MS = 250;
/** How often a recorder that has stopped looks whether it can go on [ms]. */
const RETRY_MS = 5_000;

/**
 * Puts rows and events on the disk. `row`, `event` and `gap` return at once and never throw; `onDurable` says when rows are
 * safe. Inside there is one operation at a time. What comes before `start` is not looked up among what is on the disk.
 */
export class Recorder {
  readonly #options: RecorderOptions;
  readonly #limits: RecorderLimits;
  readonly #clock: RecorderClock;
  readonly #disk: Disk;
  readonly #lock: DirectoryLock;
  readonly #reserve: Reserve;
  readonly #space: Space;
  readonly #segments: RollingSegments;
  readonly #book = new SequenceBook();
  readonly #tapeBook = new SequenceBook();
  readonly #intake: Intake;
  readonly #raw: RawChannels | undefined;
  readonly #counters = {
    /** segments of an earlier run that were repaired */
    segmentsRepaired: 0,
    /** times that the recording had to stop */
    stops: 0,
    /** segments that were given up for newer ones */
    segmentsDropped: 0,
  };
  #state: 'new' | 'recording' | 'ended' = 'new';
  #problem: RecorderProblem | undefined;
  #stoppedMs = 0;
  #running: Promise<void> | undefined;
  /** kind of the problem that was told last and is not over */
  #told = '';
  #sealWanted = false;
  #repeated: RowKey | undefined;
  #cancelCommit: (() => void) | undefined;
  #cancelRetry: (() => void) | undefined;

  constructor(options: RecorderOptions) {
    const { directory, robot, revision, clock = systemClock, disk = realDisk } = options;
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#clock = clock;
    this.#disk = disk;
    this.#lock = new DirectoryLock(directory);
    this.#reserve = new Reserve(disk, directory);
    const onDropped = (dropped: Dropped) => this.#dropped(dropped);
    this.#space = new Space({ directory, disk, clock, limits: this.#limits, onDropped });
    this.#intake = new Intake(this.#book, this.#tapeBook, this.#limits.waitingBytes);
    if (options.raw && options.raw.length > 0) this.#raw = new RawChannels(options.raw);
    const onAge = () => this.#wantSeal();
    this.#segments = new RollingSegments({
      directory,
      robot,
      revision,
      clock,
      disk,
      limits: this.#limits,
      raw: this.#raw,
      onAge,
    });
  }

  /** What keeps it from recording, if anything does. */
  get problem(): RecorderProblem | undefined {
    return this.#problem;
  }

  get counters() {
    const waiting = this.#intake.waiting;
    return { ...this.#intake.counters, ...this.#counters, segmentsSealed: this.#segments.sealed, waiting };
  }

  /** The row that became durable last, in this run or in the one before. */
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
      await this.#lock.acquire();
      await this.#repair();
      for (const { row, tape } of await lastKeys(directory)) {
        if (row) {
          this.#book.take(row);
          this.#book.commit(row);
        }
        if (tape) this.#tapeBook.take(tape);
      }
    } catch (error) {
      await this.#lock.release();
      const remedy = error instanceof EdgeError ? error.remedy : 'name a folder that this user may write to';
      const message = `cannot record into ${directory}: ${messageOf(error)}`;
      throw new EdgeError('recordingFailed', message, remedy, { cause: error });
    }
    this.#state = 'recording';
    await this.#exclusively(async () => {
      await this.#space.check(0);
      await this.#reserve.hold();
    });
    await this.#kick();
  }

  /** One encoded row; it is copied. */
  row(bytes: Uint8Array): void {
    if (this.#state === 'ended') return;
    const wasDue = this.#intake.isDue;
    const row = this.#intake.row(bytes, this.#clock.wallNs(), this.#problem?.kind ?? 'too-slow');
    if (row) this.#raw?.row(row);
    if (row?.outcome === 'repeated') this.#acknowledgeAgain(row);
    else if (row?.outcome === 'dropped') this.#tellSlow();
    else if (row?.outcome === 'taken') this.#armCommit(wasDue);
  }

  /** One block of control's tape; it is copied. What it tells of is in the rows that come after it. */
  tape(bytes: Uint8Array): void {
    if (this.#state === 'ended') return;
    const wasDue = this.#intake.isDue;
    if (this.#intake.tape(bytes, this.#raw)) this.#armCommit(wasDue);
  }

  /** Something that happened; stored as JSON with the time of this call. */
  event(event: object): void {
    if (this.#state === 'ended') return;
    const wasDue = this.#intake.isDue;
    if (!this.#intake.event(event, this.#clock.wallNs())) return;
    // What led to a stop is wanted on the disk before somebody pulls the plug.
    if ('event' in event && event.event === 'estop') this.#intake.hurry();
    this.#armCommit(wasDue);
  }

  /** Rows that the caller knows to be missing; without `after` they are missing after the last row that came. */
  gap(gap: Gap): void {
    this.event(gapEvent({ ...gap, after: gap.after ?? this.#book.lastTaken }));
  }

  /** What the segments from now on say about themselves: task, controller, whatever reads well later. */
  setBehaviour(behaviour: Readonly<Record<string, string>>): void {
    this.#segments.behaviour = behaviour;
    this.#wantSeal();
  }

  /** Resolves when everything given so far is on the medium, or when a problem keeps it from there. */
  async flush(): Promise<void> {
    this.#intake.settleGap(this.#clock.wallNs());
    this.#intake.hurry();
    await this.#kick();
  }

  /** Writes what waits, seals the segment and lets go of the folder. Never rejects. */
  async stop(): Promise<void> {
    if (this.#state !== 'recording') return;
    this.#intake.settleGap(this.#clock.wallNs());
    this.#state = 'ended';
    this.#wantSeal();
    await this.#kick();
    this.#cancelCommit?.();
    this.#cancelRetry?.();
    // Only after a problem is there anything left.
    this.#intake.giveUp();
    await this.#reserve.release();
    await this.#lock.release();
  }

  #armCommit(wasDue: boolean): void {
    this.#cancelCommit ??= this.#clock.after(COMMIT_MS, () => {
      this.#cancelCommit = undefined;
      this.#intake.hurry();
      void this.#kick();
    });
    if (!wasDue && this.#intake.isDue) void this.#kick();
  }

  #tellSlow(): void {
    if (this.#problem) return;
    const message = `the disk is slower than the rows: ${this.#intake.waiting} messages wait, newer rows are dropped`;
    this.#tell({ kind: 'too-slow', message });
  }

  /** The sender has not heard that its rows are safe, or has forgotten: told once for all that it repeats in one go. */
  #acknowledgeAgain(key: RowKey): void {
    if (!this.#book.isDurable(key)) return;
    if (this.#repeated === undefined) {
      queueMicrotask(() => {
        const last = this.#repeated && this.#book.durableOf(this.#repeated.boot);
        this.#repeated = undefined;
        if (last) this.#options.onDurable(last);
      });
    }
    this.#repeated = { boot: key.boot, sequence: key.sequence };
  }

  #wantSeal(): void {
    this.#intake.hurry();
    this.#sealWanted = true;
    void this.#kick();
  }

  get #isDue(): boolean {
    return this.#state !== 'new' && this.#problem === undefined && (this.#intake.isDue || this.#sealWanted);
  }

  /** Resolves when nothing is due any more. */
  async #kick(): Promise<void> {
    while (this.#running || this.#isDue) await (this.#running ?? this.#exclusively(() => this.#pump()));
  }

  /** One at a time: whatever touches the disk goes through here. */
  async #exclusively(work: () => Promise<void>): Promise<void> {
    while (this.#running) await this.#running;
    this.#running = work()
      .catch((error) => this.#stumble(error))
      .finally(() => {
        this.#running = undefined;
      });
    await this.#running;
  }

  async #pump(): Promise<void> {
    while (this.#isDue) {
      if (this.#intake.isDue) await this.#commit();
      else {
        this.#sealWanted = false;
        await this.#seal();
      }
    }
  }

  async #commit(): Promise<void> {
    await this.#space.check(this.#segments.openBytes);
    const batch = this.#intake.head();
    const keys = batch.flatMap(({ key }) => key ?? []);
    const last = keys.at(-1);
    const { boot, sequence } = this.#book.lastDurable ?? { boot: 0n, sequence: -1n };
    const messages = batch.map(({ message }) => message);
    const tape = batch.find((waiting) => waiting.tape)?.tape;
    const first = keys[0] ?? (tape && { boot: tape.boot, sequence: tape.firstSequence });
    await this.#segments.append(messages, first?.boot, first ?? { boot, sequence: sequence + 1n });
    this.#intake.written(batch);
    if (this.#intake.fullness < 0.5) this.#told = '';
    if (last) this.#options.onDurable(last);
    const seal = batch.at(-1)?.seal;
    if (seal === 'now' || (seal && this.#segments.isOld) || this.#segments.isFull) await this.#seal();
  }

  async #seal(): Promise<void> {
    this.#space.changed();
    await this.#segments.seal();
  }

  #dropped(dropped: Dropped): void {
    this.#counters.segmentsDropped += dropped.files.length;
    this.event({ event: 'segments-dropped', ...dropped });
  }

  /** Recording stops. What waits goes on waiting: nothing is lost before the line is full. */
  async #stumble(error: unknown): Promise<void> {
    const kind = kindOfFailure(error);
    if (kind === 'disk-full') await this.#reserve.release();
    // All that was said to be safe is in the segment, sealed or not.
    await this.#segments.seal().catch(() => undefined);
    this.#counters.stops += 1;
    this.#stoppedMs = this.#clock.monotonicMs();
    this.#problem = { kind, message: messageOf(error) };
    this.#tell(this.#problem);
    this.#armRetry();
  }

  #tell(problem: RecorderProblem): void {
    if (this.#told === problem.kind) return;
    this.#told = problem.kind;
    this.#options.onProblem(problem);
  }

  #armRetry(): void {
    if (this.#state === 'ended') return;
    this.#cancelRetry = this.#clock.after(RETRY_MS, () => {
      void this.#exclusively(() => this.#retry()).then(() => this.#kick());
    });
  }

  async #retry(): Promise<void> {
    const problem = this.#problem;
    if (problem === undefined || this.#state === 'ended') return;
    // Room for a whole segment, or it would stop and start for every few rows.
    const room = problem.kind === 'disk-full' ? this.#limits.segmentBytes + RESERVE_BYTES : 0;
    try {
      if (!(await this.#space.hasRoomFor(room))) throw new Error('still full');
      await this.#reserve.hold();
      await this.#repair();
    } catch {
      this.#armRetry();
      return;
    }
    this.#problem = undefined;
    const stoppedMs = Math.round(this.#clock.monotonicMs() - this.#stoppedMs);
    this.event({ event: 'recording-resumed', after: problem.kind, message: problem.message, stoppedMs });
    this.#intake.hurry();
    this.#options.onRecovered?.();
  }

  async #repair(): Promise<void> {
    for (const { file, repaired, failure } of await repairAll(this.#options.directory, this.#disk)) {
      if (repaired) this.#counters.segmentsRepaired += 1;
      if (failure) this.#options.onProblem({ kind: 'repair-failed', message: `${file}: ${failure}` });
      else if (repaired?.keptAside) {
        const message = `${file}: ${repaired.reason}; kept aside as ${repaired.keptAside}`;
        this.#options.onProblem({ kind: 'segment-damaged', message });
      }
    }
  }
}
