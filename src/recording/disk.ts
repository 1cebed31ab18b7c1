import { access, open, rename, rm, statfs } from 'node:fs/promises';

/** The few things that recording asks of a file system, so that tests can let it fail. All reject with node's errors. */

export interface OutputFile {
  /** @returns how many bytes were taken: fewer than given when the disk is nearly full */
  write(bytes: Uint8Array, position: number): Promise<number>;
  /** resolves when everything written is on the medium (fdatasync) */
  sync(): Promise<void>;
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
}

export interface Disk {
  /** A new file; one that exists is an error. */
  create(path: string): Promise<OutputFile>;
  exists(path: string): Promise<boolean>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** resolves when names in a folder are on the medium: without it a file may be there and its name not */
  syncDirectory(path: string): Promise<void>;
  /** what this user may still write [bytes] */
  freeBytes(path: string): Promise<number>;
}

export const realDisk: Disk = {
  async create(path) {
    const handle = await open(path, 'wx', 0o640);
    return {
      write: async (bytes, position) => (await handle.write(bytes, 0, bytes.length, position)).bytesWritten,
      sync: () => handle.datasync(),
      truncate: (length) => handle.truncate(length),
      close: () => handle.close(),
    };
  },
  exists: (path) =>
    access(path).then(
      () => true,
      () => false,
    ),
  rename,
  remove: (path) => rm(path, { force: true }),
  async syncDirectory(path) {
    const handle = await open(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
  async freeBytes(path) {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  },
};

/** Writes all of it: a nearly full disk takes a part first and refuses the rest on the next call. */
export async function writeAll(file: OutputFile, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const taken = await file.write(bytes.subarray(done), position + done);
    if (taken === 0) throw Object.assign(new Error('ENOSPC: the disk takes no more bytes'), { code: 'ENOSPC' });
    done += taken;
  }
}

/** No space, quota used up, or the longest file that this process may write. */
const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** What a failed operation says about the disk. */
export function kindOfFailure(error: unknown): 'disk-full' | 'io-error' {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return FULL.has(code) ? 'disk-full' : 'io-error';
}
