import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { chunkLength } from '../../messages/bulk/chunk-map.ts';
import { acknowledge, acknowledgement, acknowledgementOf } from '../../recording/acknowledged.ts';
import { bootText } from '../../recording/channels.ts';
import { type Disk, realDisk } from '../../recording/disk.ts';
import { bySequence, parseSegmentName, SEALED } from '../../recording/segment-name.ts';
import { verifyFile } from '../../recording/verify.ts';
import type { TaskName } from '../../robot/tasks/task.ts';

/** A sealed segment that nobody has acknowledged. */
export interface Waiting {
  readonly segment: string;
  readonly bytes: number;
}

/** A segment that is ready to be offered: read as a whole, and kept open. */
export interface Ready extends Waiting {
  readonly sha256: string;
  readonly rows: number;
  readonly boot: string;
  /** wall clock of the first and last message [ms since 1970] */
  readonly from: number | null;
  readonly to: number | null;
  readonly tasks: readonly TaskName[];
  /** @throws node's errors, also when the file is shorter than it was */
  chunk(n: number, chunkBytes: number): Promise<Buffer>;
  close(): Promise<void>;
}

/** What the upload asks of the disk; tests have one in memory. */
export interface Outbox {
  /** Sealed segments that nobody has acknowledged, the oldest first. @throws node's errors */
  list(): Promise<readonly Waiting[]>;
  /** @returns why it cannot be sent, if it cannot. @throws node's errors, ENOENT when it is gone */
  prepare(waiting: Waiting): Promise<Ready | { readonly reason: string }>;
  /** It is on the medium when this resolves. @throws node's errors; nothing is noted then */
  acknowledge(segment: string, what: { sha256: string; bytes: number; by: string }): Promise<void>;
}

export interface SegmentOutboxOptions {
  /** folder of recordings */
  readonly directory: string;
  readonly disk?: Disk;
  /** wall clock [ms since 1970]; only for the record */
  readonly wall: () => number;
}

/**
 * The sealed segments of a robot are what waits to be sent; there is no other queue. What is acknowledged is noted beside
 * them, and what is deleted is the recorder's business.
 */
export class SegmentOutbox implements Outbox {
  readonly #options: SegmentOutboxOptions;
  /** segments whose acknowledgement was looked at, and is one */
  readonly #acknowledged = new Set<string>();

  constructor(options: SegmentOutboxOptions) {
    this.#options = options;
  }

  async list(): Promise<readonly Waiting[]> {
    const { directory } = this.#options;
    const names = await readdir(directory).catch((error) => {
      // Nothing was recorded yet.
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [] as string[];
      throw error;
    });
    const there = new Set(names);
    for (const known of this.#acknowledged) if (!there.has(known)) this.#acknowledged.delete(known);
    const waiting: (Waiting & { writtenMs: number })[] = [];
    for (const segment of names) {
      if (!segment.endsWith(SEALED) || parseSegmentName(segment) === undefined) continue;
      if (this.#acknowledged.has(segment)) continue;
      const path = join(directory, segment);
      // Removed by the recorder since the folder was listed.
      const found = await stat(path).catch(() => undefined);
      if (!found || found.size === 0) continue;
      if (there.has(acknowledgementOf(segment)) && (await acknowledgement(path, found.size)))
        this.#acknowledged.add(segment);
      else waiting.push({ segment, bytes: found.size, writtenMs: found.mtimeMs });
    }
    return waiting.sort((a, b) => a.writtenMs - b.writtenMs || bySequence(a.segment, b.segment));
  }

  async prepare({ segment }: Waiting): Promise<Ready | { readonly reason: string }> {
    const path = join(this.#options.directory, segment);
    const file = await open(path, 'r');
    try {
      const { size: bytes } = await file.stat();
      const report = await verifyFile(this.#options.directory, segment);
      if (report.state !== 'sealed') {
        await file.close();
        return { reason: report.reason ?? 'it is not whole' };
      }
      const hash = createHash('sha256');
      for await (const part of createReadStream(path, { highWaterMark: 1 << 18 })) hash.update(part);
      const { rows, tasks, firstNs, lastNs } = report;
      return {
        segment,
        bytes,
        rows,
        tasks,
        sha256: hash.digest('hex'),
        boot: bootText(parseSegmentName(segment)?.boot ?? 0n),
        from: firstNs === undefined ? null : Number(firstNs / 1_000_000n),
        to: lastNs === undefined ? null : Number(lastNs / 1_000_000n),
        chunk: (n, chunkBytes) => readChunk(file, n * chunkBytes, chunkLength(n, bytes, chunkBytes)),
        close: () => file.close(),
      };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async acknowledge(segment: string, { sha256, bytes, by }: { sha256: string; bytes: number; by: string }) {
    const { directory, disk = realDisk, wall } = this.#options;
    const path = join(directory, segment);
    // The recorder may have given it up meanwhile; a note without a segment would stay for ever.
    if (!(await disk.exists(path))) return;
    await acknowledge(path, { sha256, bytes, by, at: new Date(wall()).toISOString() }, disk);
    this.#acknowledged.add(segment);
  }
}

async function readChunk(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, length - done, position + done);
    if (bytesRead === 0) throw new Error(`it is shorter than it was: ${position + done} bytes`);
    done += bytesRead;
  }
  return bytes;
}
