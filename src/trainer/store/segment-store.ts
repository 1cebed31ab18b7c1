import { link, mkdir, open, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EdgeError, messageOf } from '../../errors.ts';
import { DirectoryLock } from '../../recording/directory-lock.ts';
import { type Disk, realDisk, writeAll } from '../../recording/disk.ts';
import { SEALED } from '../../recording/segment-name.ts';
import type { TaskName } from '../../robot/tasks/task.ts';
import { linkNames } from './link-names.ts';
import { originOf, readWhole, sha256Of } from './read-segment.ts';
import { StoreIndex } from './store-index.ts';
import { type Quarantined, quarantinedSchema, type StoredSegment } from './stored-segment.ts';

export type { Quarantined, StoredSegment } from './stored-segment.ts';

/** What is kept of segments that cannot be read; of older ones only the reason stays. */
const QUARANTINED_FILES = 20;

export interface StoreOptions {
  readonly disk?: Disk;
  /** our wall clock [ms since 1970]; only for the record */
  readonly wall?: () => number;
  /** a segment has come in; must not throw */
  readonly onAdded?: (segment: StoredSegment) => void;
  /** what was found wrong and put right; must not throw */
  readonly onProblem?: (problem: string) => void;
}

export interface Incoming {
  /** file that the store takes over, on its own file system */
  readonly path: string;
  readonly robot: string;
  /** file name that it had on the robot */
  readonly segment: string;
  /** what it has to be, hexadecimal */
  readonly sha256: string;
}

/** What became of a file that was given to the store. */
export type Added =
  | { readonly outcome: 'stored' | 'known'; readonly segment: StoredSegment }
  /** these are not the bytes that were meant; the file is where it was */
  | { readonly outcome: 'other-bytes'; readonly reason: string }
  /** the store will never have it; it was put aside */
  | { readonly outcome: 'quarantined'; readonly reason: string };

/**
 * Segments of any number of robots, each stored once under the SHA-256 of its bytes:
 *
 *     segments/<sha256>.mcap   index.jsonl   quarantine/<sha256>.{mcap,json}   datasets/<task>/   incoming/
 *
 * What is in `segments/` was read as a whole before and is on the medium. The index is rebuilt when it is lost or wrong.
 */
export class SegmentStore {
  readonly directory: string;
  readonly #disk: Disk;
  readonly #wall: () => number;
  readonly #options: StoreOptions;
  readonly #lock: DirectoryLock;
  readonly #index: StoreIndex;
  readonly #segments = new Map<string, StoredSegment>();
  readonly #named = new Map<string, string>();
  readonly #quarantined = new Map<string, Quarantined>();
  /** lines are missing in the index */
  #indexLags = false;
  #work: Promise<unknown> = Promise.resolve();

  private constructor(directory: string, options: StoreOptions) {
    this.directory = directory;
    this.#options = options;
    this.#disk = options.disk ?? realDisk;
    this.#wall = options.wall ?? Date.now;
    this.#lock = new DirectoryLock(directory, 'keeping a store in');
    this.#index = new StoreIndex(directory, this.#disk);
  }

  /**
   * Opens the store of a folder, which is made if there is none.
   * @throws EdgeError `storeUnusable` when the folder cannot be used, or another process has it
   */
  static async open(directory: string, options: StoreOptions = {}): Promise<SegmentStore> {
    const store = new SegmentStore(directory, options);
    try {
      for (const folder of ['segments', 'quarantine', 'datasets', 'incoming']) {
        await mkdir(join(directory, folder), { recursive: true });
      }
      await store.#lock.acquire();
      await store.#load();
    } catch (error) {
      await store.#lock.release();
      const remedy = error instanceof EdgeError ? error.remedy : 'name a folder that this user may write to';
      throw new EdgeError('storeUnusable', `cannot keep a store in ${directory}: ${messageOf(error)}`, remedy, {
        cause: error,
      });
    }
    return store;
  }

  /** Lets go of the folder, once what is being added is in it. */
  async close(): Promise<void> {
    await this.#work.catch(() => {});
    await this.#lock.release();
  }

  /** Where files are put that are not yet in the store; on the same file system. */
  get incoming(): string {
    return join(this.directory, 'incoming');
  }

  /** @param sha256 hexadecimal */
  get(sha256: string): StoredSegment | undefined {
    return this.#segments.get(sha256);
  }

  /** What is stored under a robot's name for it, whatever its bytes. */
  find(robot: string, segment: string): StoredSegment | undefined {
    const sha256 = this.#named.get(nameOf(robot, segment));
    return sha256 === undefined ? undefined : this.#segments.get(sha256);
  }

  /** In the order in which they came. */
  list({ task, robot }: { task?: TaskName; robot?: string } = {}): StoredSegment[] {
    return [...this.#segments.values()].filter(
      (one) => (task === undefined || one.tasks.includes(task)) && (robot === undefined || one.robot === robot),
    );
  }

  /** Why a segment was put aside, if it was. */
  quarantined(sha256: string): Quarantined | undefined {
    return this.#quarantined.get(sha256);
  }

  listQuarantined(): Quarantined[] {
    return [...this.#quarantined.values()];
  }

  pathOf(sha256: string): string {
    return join(this.directory, 'segments', `${sha256}${SEALED}`);
  }

  /** What this user may still write [bytes]. */
  freeBytes(): Promise<number> {
    return this.#disk.freeBytes(this.directory);
  }

  /**
   * Takes over a file: reads it as a whole, and has it on the medium when this resolves.
   * @throws node's errors, ENOSPC for one; the file is where it was then, or in the store already, and may be given again
   */
  add(incoming: Incoming): Promise<Added> {
    return this.#inTurn(() => this.#add(incoming));
  }

  /**
   * A folder with all segments of a task, by the names that they had, as `train --dataset` and `dataset export` read it.
   * They are hard links: cheap, and gone without harm. Segments that come later are not in it before the next call.
   * @throws node's errors
   */
  datasetFolder(task: TaskName): Promise<string> {
    return this.#inTurn(() => this.#link(task));
  }

  /** One at a time, in the order in which it was asked for. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#work.then(work, work);
    this.#work = done.catch(() => {});
    return done;
  }

  async #add({ path, robot, segment, sha256 }: Incoming): Promise<Added> {
    const known = this.#segments.get(sha256);
    if (known) {
      await this.#disk.remove(path);
      return { outcome: 'known', segment: known };
    }
    const actual = await sha256Of(path);
    if (actual !== sha256) return { outcome: 'other-bytes', reason: `its SHA-256 is ${actual}, not ${sha256}` };
    const other = this.find(robot, segment);
    if (other) return this.#putAside(path, { sha256, robot, segment, reason: otherContents(other) });
    const contents = await readWhole(path);
    if ('reason' in contents) return this.#putAside(path, { sha256, robot, segment, reason: contents.reason });
    await sync(path);
    await this.#disk.rename(path, this.pathOf(sha256));
    await this.#disk.syncDirectory(join(this.directory, 'segments'));
    const stored = { sha256, robot, segment, ...contents, at: this.#wall() };
    this.#remember(stored);
    await this.#note(stored);
    this.#options.onAdded?.(stored);
    return { outcome: 'stored', segment: stored };
  }

  /** The segment is safe: an index that cannot be written is no reason to say that it is not. */
  async #note(stored: StoredSegment): Promise<void> {
    try {
      if (this.#indexLags) await this.#index.replace(this.#segments.values());
      else await this.#index.append(stored);
      this.#indexLags = false;
    } catch (error) {
      this.#indexLags = true;
      this.#options.onProblem?.(`the index of ${this.directory} cannot be written: ${messageOf(error)}`);
    }
  }

  async #putAside(path: string, what: Omit<Quarantined, 'at'>): Promise<Added> {
    const noted = { ...what, at: this.#wall() };
    const stem = join(this.directory, 'quarantine', what.sha256);
    await this.#disk.rename(path, `${stem}${SEALED}`);
    this.#quarantined.set(what.sha256, noted);
    const reason = `${stem}.json`;
    await this.#disk.remove(reason);
    const file = await this.#disk.create(reason);
    try {
      await writeAll(file, Buffer.from(`${JSON.stringify(noted)}\n`), 0);
      await file.sync();
    } finally {
      await file.close();
    }
    const aside = [...this.#quarantined.values()].sort((a, b) => b.at - a.at).slice(QUARANTINED_FILES);
    for (const { sha256 } of aside) await this.#disk.remove(join(this.directory, 'quarantine', `${sha256}${SEALED}`));
    return { outcome: 'quarantined', reason: what.reason };
  }

  #remember(stored: StoredSegment): void {
    this.#segments.set(stored.sha256, stored);
    this.#named.set(nameOf(stored.robot, stored.segment), stored.sha256);
  }

  async #load(): Promise<void> {
    await this.#loadQuarantined();
    const { entries, sound } = await this.#index.read();
    const files = (await readdir(join(this.directory, 'segments'))).filter((name) => name.endsWith(SEALED));
    const there = new Set(files.map((name) => name.slice(0, -SEALED.length)));
    let changed = (!sound && there.size > 0) || [...entries.keys()].some((sha256) => !there.has(sha256));
    const missing = new Set(there);
    for (const entry of entries.values()) {
      if (!there.has(entry.sha256)) continue;
      const { size } = await stat(this.pathOf(entry.sha256));
      if (size !== entry.bytes) continue;
      missing.delete(entry.sha256);
      this.#remember(entry);
    }
    for (const sha256 of missing) {
      await this.#readAgain(sha256);
      changed = true;
    }
    if (!changed) return;
    this.#options.onProblem?.(`the index of ${this.directory} was not as it should be: made anew from the segments`);
    await this.#index.replace(this.#segments.values()).catch((error) => {
      this.#indexLags = true;
      this.#options.onProblem?.(`the index of ${this.directory} cannot be written: ${messageOf(error)}`);
    });
  }

  /** A segment of which the index knows nothing. */
  async #readAgain(sha256: string): Promise<void> {
    const path = this.pathOf(sha256);
    const origin = await originOf(path);
    const contents = (await sha256Of(path)) === sha256 ? await readWhole(path) : { reason: 'its bytes have changed' };
    if ('reason' in contents) {
      this.#options.onProblem?.(`${path} is put aside: ${contents.reason}`);
      await this.#putAside(path, { sha256, ...origin, reason: contents.reason });
      return;
    }
    this.#remember({ sha256, ...origin, ...contents, at: Math.round((await stat(path)).mtimeMs) });
  }

  async #loadQuarantined(): Promise<void> {
    const folder = join(this.directory, 'quarantine');
    for (const name of await readdir(folder)) {
      if (!name.endsWith('.json')) continue;
      const noted = quarantinedSchema.safeParse(jsonOf(await readFile(join(folder, name), 'utf8'))).data;
      if (noted) this.#quarantined.set(noted.sha256, noted);
    }
  }

  async #link(task: TaskName): Promise<string> {
    const folder = join(this.directory, 'datasets', task);
    await mkdir(folder, { recursive: true });
    const wanted = linkNames(this.list({ task }));
    for (const name of await readdir(folder)) {
      const sha256 = wanted.get(name);
      const same = sha256 !== undefined && (await isSame(join(folder, name), this.pathOf(sha256)));
      if (same) wanted.delete(name);
      else await this.#disk.remove(join(folder, name));
    }
    for (const [name, sha256] of wanted) await link(this.pathOf(sha256), join(folder, name));
    return folder;
  }
}

const nameOf = (robot: string, segment: string): string => `${robot}/${segment}`;

/** Why a robot's segment is refused whose name is taken. */
export const otherContents = ({ sha256 }: StoredSegment): string =>
  `a segment of this name is stored already, with other contents (SHA-256 ${sha256.slice(0, 12)}…)`;

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function isSame(a: string, b: string): Promise<boolean> {
  const [left, right] = await Promise.all([stat(a), stat(b)]);
  return left.ino === right.ino && left.dev === right.dev;
}

/** What was written to a file is on the medium when this resolves. */
async function sync(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
