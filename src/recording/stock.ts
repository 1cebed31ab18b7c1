import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../errors.ts';
import type { Disk } from './disk.ts';
import { type Repaired, repairPart } from './repair.ts';
import { peekRow, type RowKey } from './row-key.ts';
import { bySequence, isSegment, PART, parseSegmentName, REPAIRING } from './segment-name.ts';
import { SegmentReader } from './segment-reader.ts';

export interface RepairOutcome {
  readonly file: string;
  readonly repaired?: Repaired;
  /** why it could not be repaired; the file is as it was */
  readonly failure?: string;
}

/** Repairs every segment that a writer left open. One that cannot be repaired does not keep the others from it. */
export async function repairAll(directory: string, disk: Disk): Promise<RepairOutcome[]> {
  const outcomes: RepairOutcome[] = [];
  const names = await readdir(directory);
  // Half a repair is worth nothing; its .part is still there.
  for (const file of names) if (file.endsWith(REPAIRING)) await disk.remove(join(directory, file));
  for (const file of names) {
    if (!file.endsWith(PART) || parseSegmentName(file) === undefined) continue;
    try {
      outcomes.push({ file, repaired: await repairPart(join(directory, file), disk) });
    } catch (error) {
      outcomes.push({ file, failure: messageOf(error) });
    }
  }
  return outcomes;
}

/** Runs of `control` whose last row is looked up; only the latest can still be running. */
const BOOTS = 4;

/** The last row of each of the latest runs of `control`, the latest last. */
export async function lastRows(directory: string): Promise<RowKey[]> {
  const latest = new Map<bigint, { file: string; writtenMs: number }>();
  const files = (await readdir(directory)).filter(isSegment);
  for (const file of files.sort(bySequence)) {
    const name = parseSegmentName(file);
    // Removed by someone since the folder was listed: it is not the latest.
    const written = name && (await stat(join(directory, file)).catch(() => undefined));
    // In this order a later segment of the same boot replaces an earlier one.
    if (written) latest.set(name.boot, { file, writtenMs: written.mtimeMs });
  }
  const byTime = [...latest.values()].sort((a, b) => a.writtenMs - b.writtenMs);
  const rows: RowKey[] = [];
  for (const { file } of byTime.slice(-BOOTS)) {
    const last = await lastRow(join(directory, file));
    if (last) rows.push(last);
  }
  return rows;
}

async function lastRow(path: string): Promise<RowKey | undefined> {
  const reader = new SegmentReader(path);
  let last: RowKey | undefined;
  for await (const messages of reader.chunks()) {
    const message = messages.findLast((one) => reader.isRow(one));
    const row = message && reader.rowOf(message);
    last = (row && peekRow(row)) ?? last;
  }
  return last && { boot: last.boot, sequence: last.sequence };
}
