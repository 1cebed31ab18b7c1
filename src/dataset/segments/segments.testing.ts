import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { encodeRow, type Row } from '../../messages/row.ts';
import { transitionMessage } from '../../recording/channels.ts';
import { realDisk } from '../../recording/disk.ts';
import { peekRow } from '../../recording/row-key.ts';
import { segmentStem } from '../../recording/segment-name.ts';
import { SegmentWriter } from '../../recording/segment-writer.ts';

/** A folder that goes with the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'h2o-dataset-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const state = (sequence: number): number[] => [sequence / 8, Math.sin(sequence), Math.cos(sequence) / 9, -sequence / 4];

/** A row of a running robot whose numbers follow from its sequence; each goes on where the one before it ended. */
export const rowAt = (sequence: number, changes: Partial<Row> = {}): Row => ({
  monotonicNs: 5_000_000n * BigInt(sequence),
  wallNs: 1_700_000_000_000_000_000n + 5_000_000n * BigInt(sequence),
  mcuTimeUs: 5000n * BigInt(sequence),
  sequence: BigInt(sequence),
  boot: 1n,
  policyHash: 0n,
  dtUs: 5000,
  episode: 1,
  step: sequence,
  limits: 0,
  conditions: 0n,
  state: state(sequence),
  nextState: state(sequence + 1),
  observation: [],
  requestedTorque: sequence / 16,
  commandedTorque: sequence / 16,
  appliedTorque: sequence / 16,
  measuredTorque: 0,
  reward: 30 - sequence / 32,
  latencyUs: 900,
  task: 'standing-still',
  robotState: 'running',
  controller: 'balancer',
  done: false,
  timeout: false,
  measured: true,
  ...changes,
});

/** Writes rows as a sealed segment. */
export async function writeSegment(
  folder: string,
  rows: readonly Row[],
  metadata = { robot: 'robot-1' },
): Promise<void> {
  const [first] = rows;
  if (first === undefined) throw new Error('a segment needs a row');
  const stem = segmentStem({ robot: 'robot-1', boot: first.boot, firstSequence: first.sequence, copy: 1 });
  const writer = new SegmentWriter({
    disk: realDisk,
    path: join(folder, `${stem}.part`),
    metadata: new Map(Object.entries(metadata)),
  });
  await writer.open();
  // A chunk is what is committed at once; readers refuse longer ones than a recorder makes.
  for (let at = 0; at < rows.length; at += 200) await writer.append(rows.slice(at, at + 200).map(messageOf));
  await writer.seal();
}

function messageOf(row: Row) {
  const bytes = encodeRow(row);
  const key = peekRow(bytes);
  if (key === undefined) throw new Error('a row that cannot be read');
  return transitionMessage(bytes, key, key.wallNs);
}
