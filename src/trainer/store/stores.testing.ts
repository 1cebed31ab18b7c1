import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { rowAt, writeSegment } from '../../dataset/segments/segments.testing.ts';
import type { Row } from '../../messages/row.ts';
import { SegmentStore, type StoreOptions } from './segment-store.ts';

/** A folder that goes with the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'h2o-store-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A store that is closed with the test. */
export async function openedStore(folder = temporaryFolder(), options: StoreOptions = {}): Promise<SegmentStore> {
  const store = await SegmentStore.open(folder, options);
  onTestFinished(() => store.close());
  return store;
}

/** A sealed segment of some rows, from a number on. */
export async function segmentFile(
  first: number,
  changes: Partial<Row> = {},
  rows = 50,
): Promise<{ path: string; file: string }> {
  const folder = temporaryFolder();
  await writeSegment(
    folder,
    Array.from({ length: rows }, (_, index) => rowAt(first + index, changes)),
  );
  const file = readdirSync(folder)[0] ?? '';
  return { path: join(folder, file), file };
}
