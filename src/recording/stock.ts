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

/** What a run of `control` has on the disk. */
export interface LastKeys {
  readonly row: RowKey | undefined;
  /** block of the tape, by its number */
  readonly tape: RowKey | undefined;
}

/** The last row, and the last block of the tape beside it, of each of the latest runs of `control`, the latest last. */
export async function lastKeys(directory: string): Promise<LastKeys[]> {
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
  const keys: LastKeys[] = [];
  for (const { file } of byTime.slice(-BOOTS)) keys.push(await lastIn(join(directory, file)));
  return keys;
}

async function lastIn(path: string): Promise<LastKeys> {
  const reader = new SegmentReader(path);
  let row: RowKey | undefined;
  let tape: RowKey | undefined;
  for await (const messages of reader.chunks()) {
    const lastRow = messages.findLast((one) => reader.isRow(one));
    const bytes = lastRow && reader.rowOf(lastRow);
    const key = bytes && peekRow(bytes);
    if (key) row = { boot: key.boot, sequence: key.sequence };
    const lastBlock = messages.findLast((one) => reader.isTape(one));
    const block = lastBlock && reader.tapeOf(lastBlock);
    if (block) tape = { boot: block.boot, sequence: block.number };
  }
  return { row, tape };
}
