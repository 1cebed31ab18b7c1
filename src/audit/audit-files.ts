import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, link, mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type AuditEntry, type ChainHead, NO_ENTRY, readLine } from './chain.ts';
import type { AuditLine } from './check-chain.ts';

/** The file that is written; older ones are named after their first entry. */
export const CURRENT = 'audit.jsonl';
const OLDER = /^audit-(\d{12})\.jsonl$/;
/** Longest line [bytes]; details are bounded, names are short. */
const LONGEST_LINE = 16 << 10;
const olderName = (first: number) => `audit-${String(first).padStart(12, '0')}.jsonl`;

/** What was found at the end of the log when it was opened. */
export interface FoundEnd {
  readonly head: ChainHead;
  /** a last line that a crash left half written; what is appended next goes over it, and this is what was there */
  readonly torn?: { readonly bytes: number; readonly sha256: string; readonly text: string };
  /** whole lines at the end that are no entries: somebody was there, and they are left as they are */
  readonly strangeLines: number;
}

/** Entries that rotation gives up: all up to this one. */
export interface GivenUp {
  readonly files: readonly string[];
  readonly through: ChainHead;
}

/**
 * The files of an audit log in one folder: append, rotate, give up the oldest. Every method may reject with the disk's own
 * error and may be called again. One at a time.
 */
export class AuditFiles {
  /** bytes of the file that is written */
  bytes = 0;
  readonly #folder: string;
  #file: FileHandle | undefined;
  /** of the file that is written; `undefined`: a new one may be begun */
  #inode: number | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Finds the end of the log. */
  async open(): Promise<FoundEnd> {
    await mkdir(this.#folder, { recursive: true });
    const found = await this.#findEnd();
    await this.#openCurrent();
    this.bytes -= found.torn?.bytes ?? 0;
    return found;
  }

  /**
   * Puts whole lines on disk. After a failure nothing of them counts, and what comes next goes over what is left of them.
   * @returns whether the file is the one that was written before; `false`: somebody had taken that away
   */
  async append(text: string): Promise<boolean> {
    const same = await this.#sameFile();
    const file = this.#file;
    if (!file) throw new Error('the audit log is not open');
    const bytes = Buffer.from(text);
    const end = this.bytes + bytes.length;
    await writeWhole(file, bytes, this.bytes);
    if ((await file.stat()).size > end) await file.truncate(end);
    await file.datasync();
    this.bytes = end;
    return same;
  }

  /** The file that is written becomes an older one, and a new one begins. Never over another file. */
  async rotate(): Promise<void> {
    const path = join(this.#folder, CURRENT);
    const first = await firstEntry(path);
    if (first === undefined) throw new Error(`${path} does not begin with an entry, so it cannot be put aside`);
    const older = join(this.#folder, olderName(first.index));
    // A second name, then one less: a rename would replace a file of that name without a word.
    // After a crash in between, the second name is there already.
    await link(path, older).catch(async (error: unknown) => {
      if (!(await isOneFile(path, older))) throw error;
    });
    await this.close();
    await rm(path);
    this.#inode = undefined;
    await this.#openCurrent();
  }

  /** The oldest files that are more than is to be kept, and the last entry in them. */
  async tooOld(keepBytes: number): Promise<GivenUp | undefined> {
    const older = await olderFiles(this.#folder);
    const sizes = await Promise.all(older.map(async (name) => (await stat(join(this.#folder, name))).size));
    let total = this.bytes + sizes.reduce((sum, size) => sum + size, 0);
    const files: string[] = [];
    for (const [position, name] of older.entries()) {
      total -= sizes[position] ?? 0;
      if (total < keepBytes) break;
      files.push(name);
    }
    if (files.length === 0) return undefined;
    const next = await firstEntry(join(this.#folder, older[files.length] ?? CURRENT));
    return next && { files, through: { index: next.index - 1, hash: next.previous } };
  }

  async remove(names: readonly string[]): Promise<void> {
    for (const name of names) await rm(join(this.#folder, name), { force: true });
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  async #sameFile(): Promise<boolean> {
    const there = await stat(join(this.#folder, CURRENT)).catch(ifMissing(undefined));
    if (this.#file && there?.ino === this.#inode) return true;
    const expected = this.#inode;
    const bytes = this.bytes;
    await this.#openCurrent();
    const same = expected === undefined || expected === this.#inode;
    // What a failed write has left behind the last whole line does not count.
    if (same) this.bytes = Math.min(bytes, this.bytes);
    return same;
  }

  async #openCurrent(): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    const path = join(this.#folder, CURRENT);
    const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o640);
    const { size, ino } = await file.stat();
    // Only now, or the new file might get the number of the old one.
    await this.close();
    // The name of a new file has to be on disk too, or a power cut would take all of it.
    if (size === 0) await syncFolder(this.#folder);
    this.#file = file;
    this.#inode = ino;
    this.bytes = size;
  }

  async #findEnd(): Promise<FoundEnd> {
    let torn: FoundEnd['torn'];
    let strangeLines = 0;
    for (const name of [CURRENT, ...(await olderFiles(this.#folder)).toReversed()]) {
      const bytes = await readEnd(join(this.#folder, name)).catch(ifMissing(Buffer.alloc(0)));
      const end = bytes.lastIndexOf(0x0a) + 1;
      if (end < bytes.length && name === CURRENT) torn = describeTorn(bytes.subarray(end));
      else if (end < bytes.length) strangeLines += 1;
      for (const line of wholeLines(bytes.subarray(0, end).toString('utf8')).toReversed()) {
        const entry = readLine(line);
        if (typeof entry !== 'string') {
          return { head: { index: entry.index, hash: entry.hash }, ...(torn && { torn }), strangeLines };
        }
        strangeLines += 1;
      }
    }
    return { head: NO_ENTRY, ...(torn && { torn }), strangeLines };
  }
}

const describeTorn = (bytes: Buffer) => ({
  bytes: bytes.length,
  sha256: createHash('sha256').update(bytes).digest('hex'),
  text: bytes.subarray(0, 500).toString('utf8'),
});

/** What an audit log says, as it lies on disk. */
export interface AuditLines {
  /** oldest first */
  readonly lines: AuditLine[];
  /** bytes at the end that are no whole line: torn, or being written right now */
  readonly tornBytes: number;
}

/** Reads a log, also one that is being written. */
export async function readAuditLines(folder: string): Promise<AuditLines> {
  for (let attempt = 0; ; attempt++) {
    const before = await listing(folder);
    const found = await readFiles(folder, before);
    // Files that were put aside or given up meanwhile would look like a gap.
    if (attempt >= 5 || (await listing(folder)).join() === before.join()) return found;
  }
}

/** The files of a log, oldest first. */
async function listing(folder: string): Promise<string[]> {
  const older = await olderFiles(folder);
  const newest = older.at(-1);
  // In the middle of a rotation the newest has two names.
  if (newest !== undefined && (await isOneFile(join(folder, newest), join(folder, CURRENT)))) older.pop();
  return [...older, CURRENT];
}

async function readFiles(folder: string, files: readonly string[]): Promise<AuditLines> {
  const lines: AuditLine[] = [];
  let tornBytes = 0;
  for (const file of files) {
    const text = await readFile(join(folder, file), 'utf8').catch(ifMissing(''));
    // A line in the middle that has no end is one with the next file's first: not whole, and not at the end.
    if (tornBytes > 0 && text !== '') lines.push({ file, number: 0, text: '' });
    const end = text.lastIndexOf('\n') + 1;
    wholeLines(text.slice(0, end)).forEach((line, index) => {
      lines.push({ file, number: index + 1, text: line });
    });
    if (text !== '') tornBytes = Buffer.byteLength(text.slice(end));
  }
  return { lines, tornBytes };
}

async function olderFiles(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => OLDER.test(name)).sort();
}

/** As much of a file's end as has the last whole lines in it: control parses it between sensor frames. */
async function readEnd(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    for (let length = 4 * LONGEST_LINE; ; length *= 8) {
      const from = Math.max(0, size - length);
      const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
      const bytes = buffer.subarray(0, bytesRead);
      if (from === 0) return bytes;
      // What comes before the first end of line is the rest of a line that was cut.
      const whole = bytes.subarray(bytes.indexOf(0x0a) + 1);
      const text = whole.toString('utf8', 0, whole.lastIndexOf(0x0a) + 1);
      if (wholeLines(text).some((line) => typeof readLine(line) !== 'string')) return whole;
    }
  } finally {
    await file.close();
  }
}

/** The entry that a file begins with. */
async function firstEntry(path: string): Promise<AuditEntry | undefined> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(LONGEST_LINE), 0, LONGEST_LINE, 0);
    const entry = readLine(buffer.toString('utf8', 0, bytesRead).split('\n', 1)[0] ?? '');
    return typeof entry === 'string' ? undefined : entry;
  } finally {
    await file.close();
  }
}

async function isOneFile(one: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all([one, other].map((path) => stat(path).catch(ifMissing(undefined))));
  return a !== undefined && a.ino === b?.ino && a.dev === b.dev;
}

/** For `catch`: a file that is not there is no error. */
const ifMissing =
  <T>(instead: T) =>
  (error: unknown): T => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return instead;
    throw error;
  };

const wholeLines = (text: string): string[] => (text === '' ? [] : text.replace(/\n$/, '').split('\n'));

async function writeWhole(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    if (bytesWritten === 0) throw new Error('the disk takes nothing');
    done += bytesWritten;
  }
}

async function syncFolder(folder: string): Promise<void> {
  const listing = await open(folder, 'r');
  try {
    await listing.sync();
  } finally {
    await listing.close();
  }
}
