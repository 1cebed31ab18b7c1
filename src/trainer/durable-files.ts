import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { EdgeError, messageOf } from '../errors.ts';
import { writeWhole } from '../learning/training/checkpoint-file.ts';

/**
 * The little that the trainer's memory asks of a disk. Whatever is written is there whole or not at all, and stays: a
 * process that is killed between any two of these calls finds one of two states, never a third.
 */
export interface DurableFiles {
  /** @returns the text; `undefined` if there is no such file. @throws EdgeError `fileUnreadable` */
  read(path: string): string | undefined;
  /** Over what was there; folders on the way are made. @throws EdgeError `fileUnreadable` */
  write(path: string, text: string): void;
  /** A new folder with these files. @throws EdgeError `fileUnreadable` also when there is one */
  place(folder: string, files: ReadonlyMap<string, Uint8Array>): void;
  /** @returns names, sorted; none if there is no such folder */
  list(folder: string): string[];
}

/** What is not finished yet; worth nothing. */
export const PARTIAL = '.partial';

export const realFiles: DurableFiles = {
  read(path) {
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw trouble('read', path, error);
    }
  },
  write(path, text) {
    makeFolder(dirname(path));
    writeWhole(path, [Buffer.from(text)]);
  },
  place(folder, files) {
    const partial = `${folder}${PARTIAL}`;
    makeFolder(dirname(folder));
    if (existsSync(folder)) throw trouble('write', folder, new Error('it is there already'));
    try {
      rmSync(partial, { recursive: true, force: true });
      mkdirSync(partial);
    } catch (error) {
      throw trouble('write', folder, error);
    }
    for (const [name, bytes] of files) writeWhole(join(partial, name), [bytes]);
    try {
      renameSync(partial, folder);
      syncFolder(dirname(folder));
    } catch (error) {
      throw trouble('write', folder, error);
    }
  },
  list(folder) {
    try {
      return readdirSync(folder)
        .filter((name) => !name.endsWith(PARTIAL))
        .sort();
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
      throw trouble('read', folder, error);
    }
  },
};

/** A folder whose name outlives a power cut, with all above it. */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  try {
    mkdirSync(path, { recursive: true });
    syncFolder(dirname(path));
  } catch (error) {
    throw trouble('write', path, error);
  }
}

export function syncFolder(path: string): void {
  const handle = openSync(path, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

const trouble = (what: string, path: string, error: unknown) =>
  new EdgeError(
    'fileUnreadable',
    `cannot ${what} ${path}: ${messageOf(error)}`,
    'check the disk and who may write there',
    {
      cause: error,
    },
  );
