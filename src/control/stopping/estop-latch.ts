import { closeSync, constants, fsyncSync, lstatSync, mkdirSync, openSync, readSync } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf } from '../../errors.ts';

/** More of a latch file is not read: it holds one line, or garbage. */
const LONGEST_SOURCE = 200;

/**
 * The e-stop on disk, so that it survives restart and power cut. What cannot be read counts as latched, and so does what a
 * crash has left half written: a robot that has forgotten whether it was stopped is stopped.
 */
export class EstopLatch {
  /** the latch is in force */
  latched = false;
  /** who stopped it, for people */
  source = '';
  /** it is in force but not on disk */
  notPersisted = false;
  /** a stop could not be put on disk now: nothing was ever written there, or the last attempt failed */
  unwritable = false;
  /** why it could not be written; empty if it could */
  problem = '';
  readonly #path: string;
  #writing: Promise<void> = Promise.resolve();
  /** stops so far; a release that a newer stop has overtaken releases nothing */
  #stops = 0;
  /** the write of the latest stop */
  #persisting: Promise<boolean> | undefined;
  #mending = false;

  constructor(path: string) {
    this.#path = path;
  }

  /** Reads the latch once, before the port is opened. */
  load(): void {
    try {
      makeFolder(dirname(this.#path));
      // A stop whose file did not get its name in time was a stop all the same.
      const found = readIfThere(this.#path) ?? readIfThere(this.#draft);
      if (found === undefined) return;
      this.latched = true;
      this.source = found;
      this.#persisting = Promise.resolve(true);
    } catch (error) {
      this.latched = true;
      this.source = `unreadable latch file ${this.#path}: ${messageOf(error)}`;
    }
  }

  /** In memory, at once. */
  latch(source: string): void {
    this.#stops += 1;
    this.#persisting = undefined;
    this.latched = true;
    this.source = source;
    this.notPersisted = true;
  }

  /** Resolves when the latest stop is on disk, whole, or cannot be. @returns whether it is there */
  persisted(): Promise<boolean> {
    this.#persisting ??= this.#inTurn(() => this.#write());
    return this.#persisting;
  }

  /**
   * Tries whether a stop could be put on disk, with a file beside it. Until it is known that it could, the robot is not to
   * be armed. @returns whether it could
   */
  async probe(): Promise<boolean> {
    this.unwritable = true;
    return await this.#inTurn(async () => {
      const path = `${this.#path}.probe`;
      await this.#put(path, 'a trial\n');
      await rm(path, { force: true });
    });
  }

  /** To be called every few seconds: what a disk refused is tried again. It does nothing on a disk that works. */
  async mend(): Promise<void> {
    if (!this.unwritable || this.#mending) return;
    this.#mending = true;
    if (this.latched && this.notPersisted) {
      this.#persisting = undefined;
      await this.persisted();
    } else await this.probe();
    this.#mending = false;
  }

  async #write(): Promise<void> {
    const stops = this.#stops;
    await this.#put(this.#draft, `${this.source}\n`);
    await rename(this.#draft, this.#path);
    // The name is in the folder, and the folder too must be on disk to survive a power cut.
    await syncFolder(dirname(this.#path));
    // A newer stop has a write of its own to wait for.
    if (stops === this.#stops) this.notPersisted = false;
  }

  async #put(path: string, text: string): Promise<void> {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(path, 'w');
    try {
      await file.writeFile(text);
      await file.datasync();
    } finally {
      await file.close();
    }
  }

  /** Off disk first, then in memory: a power cut in between leaves it latched. @returns whether it is released */
  async release(): Promise<boolean> {
    const stops = this.#stops;
    const unproven = this.unwritable;
    const gone = await this.#inTurn(async () => {
      // What counts as latched goes last: cut off in between, the robot is stopped.
      await rm(this.#draft, { force: true });
      await rm(this.#path, { force: true });
      // Or the stop that was undone would be back after a power cut: safe, but nobody would know why.
      await syncFolder(dirname(this.#path));
    });
    // A full disk removes as well as any: only a write shows that it takes a stop again, see `mend`.
    if (gone && unproven) this.unwritable = true;
    if (!gone || stops !== this.#stops) return false;
    this.latched = false;
    this.notPersisted = false;
    this.source = '';
    return true;
  }

  get #draft(): string {
    return `${this.#path}.part`;
  }

  /** One file operation after the other, so that a late write cannot undo a release. */
  async #inTurn(work: () => Promise<void>): Promise<boolean> {
    const before = this.#writing;
    let succeeded = false;
    this.#writing = (async () => {
      await before;
      try {
        await work();
        this.problem = '';
        this.unwritable = false;
        succeeded = true;
      } catch (error) {
        this.problem = messageOf(error);
        this.unwritable = true;
      }
    })();
    await this.#writing;
    return succeeded;
  }
}

/** Printable, and one line, whatever is in the file; `undefined` when there is no such file, not even a dead link. */
function readIfThere(path: string): string | undefined {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return undefined;
  // Without waiting: it may be a pipe.
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const buffer = Buffer.alloc(LONGEST_SOURCE);
    const length = readSync(file, buffer, 0, LONGEST_SOURCE, 0);
    const text = buffer.toString('utf8', 0, length).replace(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, '');
    return text.trim() || 'a stop whose file a power cut has emptied';
  } finally {
    closeSync(file);
  }
}

/** Makes the folder, whose own name has to survive a power cut as well. */
function makeFolder(path: string): void {
  const made = mkdirSync(path, { recursive: true });
  if (made === undefined) return;
  const parent = openSync(dirname(made), 'r');
  try {
    fsyncSync(parent);
  } finally {
    closeSync(parent);
  }
}

async function syncFolder(path: string): Promise<void> {
  const listing = await open(path, 'r');
  try {
    await listing.sync();
  } finally {
    await listing.close();
  }
}
/** What `RobotControl` needs of a latch. */
export type StopLatch = Pick<
  EstopLatch,
  'latched' | 'notPersisted' | 'unwritable' | 'problem' | 'source' | 'latch' | 'persisted' | 'release'
>;
