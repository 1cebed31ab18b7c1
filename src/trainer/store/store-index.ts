import { open, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Disk, writeAll } from '../../recording/disk.ts';
import { type StoredSegment, storedSegmentSchema } from './stored-segment.ts';

const FILE = 'index.jsonl';

/**
 * The index of a store: a line of JSON for each segment. It only saves reading all segments at every start: whatever is not
 * in it, or not as it should be, is read from the segments again.
 */
export class StoreIndex {
  readonly #path: string;
  readonly #disk: Disk;

  constructor(directory: string, disk: Disk) {
    this.#path = join(directory, FILE);
    this.#disk = disk;
  }

  /** All lines that can be read, by SHA-256. `sound`: there was nothing else. */
  async read(): Promise<{ entries: Map<string, StoredSegment>; sound: boolean }> {
    const text = await readFile(this.#path, 'utf8').catch(() => '');
    const lines = text.split('\n');
    // What stands behind the last line end was cut off.
    let sound = lines.pop() === '' && text !== '';
    const entries = new Map<string, StoredSegment>();
    for (const line of lines) {
      const entry = parseLine(line);
      if (entry) entries.set(entry.sha256, entry);
      else sound = false;
    }
    return { entries, sound };
  }

  /** Adds a line; it is on the medium when this resolves. @throws node's errors */
  async append(entry: StoredSegment): Promise<void> {
    const file = await open(this.#path, 'a', 0o640);
    try {
      const { size } = await file.stat();
      try {
        await file.appendFile(lineOf(entry));
      } catch (error) {
        // Half a line would spoil the next one.
        await file.truncate(size);
        throw error;
      }
      await file.datasync();
    } finally {
      await file.close();
    }
  }

  /** Writes all of it anew. @throws node's errors; the old one is as it was then */
  async replace(entries: Iterable<StoredSegment>): Promise<void> {
    const writing = `${this.#path}.new`;
    await this.#disk.remove(writing);
    const file = await this.#disk.create(writing);
    try {
      await writeAll(file, Buffer.concat([...entries].map(lineOf)), 0);
      await file.sync();
    } finally {
      await file.close();
    }
    await this.#disk.rename(writing, this.#path);
    await this.#disk.syncDirectory(dirname(this.#path));
  }
}

const lineOf = (entry: StoredSegment): Buffer => Buffer.from(`${JSON.stringify(entry)}\n`);

function parseLine(line: string): StoredSegment | undefined {
  try {
    return storedSegmentSchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
