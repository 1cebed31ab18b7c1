import { mkdirSync, readFileSync } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf } from '../errors.ts';

/**
 * The e-stop on disk, so that it survives restart and power cut. What cannot be read counts as latched: a robot that
 * has forgotten whether it was stopped is stopped.
 */
export class EstopLatch {
  /** the latch is in force */
  latched = false;
  /** who stopped it, for people */
  source = '';
  /** it is in force but not on disk */
  notPersisted = false;
  /** why it could not be written; empty if it could */
  problem = '';
  readonly #path: string;
  #writing: Promise<void> = Promise.resolve();
  /** stops so far; a release that a newer stop has overtaken releases nothing */
  #stops = 0;
  /** the write of the latest stop */
  #persisting: Promise<boolean> | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Reads the latch once, before the port is opened. */
  load(): void {
    try {
      mkdirSync(dirname(this.#path), { recursive: true });
      this.source = readFileSync(this.#path, 'utf8').trim();
      this.latched = true;
      this.#persisting = Promise.resolve(true);
    } catch (error) {
      if (isMissing(error)) return;
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

  async #write(): Promise<void> {
    const stops = this.#stops;
    const draft = `${this.#path}.part`;
    const folder = dirname(this.#path);
    await mkdir(folder, { recursive: true });
    const file = await open(draft, 'w');
    try {
      await file.writeFile(`${this.source}\n`);
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(draft, this.#path);
    // The name is in the folder, and the folder too must be on disk to survive a power cut.
    const listing = await open(folder, 'r');
    try {
      await listing.sync();
    } finally {
      await listing.close();
    }
    // A newer stop has a write of its own to wait for.
    if (stops === this.#stops) this.notPersisted = false;
  }

  /** Off disk first, then in memory: a power cut in between leaves it latched. @returns whether it is released */
  async release(): Promise<boolean> {
    const stops = this.#stops;
    const gone = await this.#inTurn(async () => {
      await rm(this.#path, { force: true });
    });
    if (!gone || stops !== this.#stops) return false;
    this.latched = false;
    this.notPersisted = false;
    this.source = '';
    return true;
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
        succeeded = true;
      } catch (error) {
        this.problem = messageOf(error);
      }
    })();
    await this.#writing;
    return succeeded;
  }
}

const isMissing = (error: unknown) => error instanceof Error && 'code' in error && error.code === 'ENOENT';

/** What `RobotControl` needs of a latch. */
export type StopLatch = Pick<
  EstopLatch,
  'latched' | 'notPersisted' | 'problem' | 'source' | 'latch' | 'persisted' | 'release'
>;
