import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type Disk, writeAll } from './disk.ts';

/** Enough for the footer and index of any segment [bytes]. */
export const RESERVE_BYTES = 1 << 20;

/** Space that is given up when the disk is full, so that the open segment can still be sealed. */
export class Reserve {
  readonly #disk: Disk;
  readonly #path: string;

  constructor(disk: Disk, directory: string) {
    this.#disk = disk;
    this.#path = join(directory, '.reserve');
  }

  /** @throws node's errors; nothing is held then */
  async hold(): Promise<void> {
    await this.#disk.remove(this.#path);
    const file = await this.#disk.create(this.#path);
    try {
      // Random, because some file systems store a megabyte of zeros in no space at all.
      await writeAll(file, randomBytes(RESERVE_BYTES), 0);
      await file.sync();
    } catch (error) {
      await this.release();
      throw error;
    } finally {
      await file.close();
    }
  }

  /** Never rejects. */
  async release(): Promise<void> {
    await this.#disk.remove(this.#path).catch(() => undefined);
  }
}
