import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventMessage, gapEvent } from './channels.ts';
import { messagesOf, TroubledDisk, temporaryFolder } from './recording.testing.ts';
import { BOOT } from './rows.testing.ts';
import { segmentStem } from './segment-name.ts';
import { SegmentWriter } from './segment-writer.ts';
import { verifyDirectory } from './verify.ts';

const gap = (after: number | undefined) => {
  const key = after === undefined ? undefined : { boot: BOOT, sequence: BigInt(after) };
  const message = eventMessage(gapEvent({ reason: 'a test', rows: 1, after: key }), 0, 1n);
  if (message === undefined) throw new Error('no JSON');
  return message;
};

async function segment(folder: string, firstSequence: bigint, chunks: ReturnType<typeof messagesOf>[], seal = true) {
  const stem = segmentStem({ robot: 'robot-1', boot: BOOT, firstSequence, copy: 1 });
  const writer = new SegmentWriter({
    disk: new TroubledDisk(),
    path: join(folder, `${stem}.part`),
    metadata: new Map(),
  });
  await writer.open();
  for (const chunk of chunks) await writer.append(chunk);
  if (seal) return writer.seal();
  await writer.abandon();
  return writer.path;
}

describe('a folder of segments', () => {
  it('is in order when every row follows the one before, from segment to segment', async () => {
    const folder = temporaryFolder();
    await segment(folder, 1n, [messagesOf(1, 10), messagesOf(11, 20)]);
    await segment(folder, 21n, [messagesOf(21, 30)], false);
    expect(await verifyDirectory(folder)).toMatchObject({
      segments: 2,
      rows: 30,
      gaps: 0,
      corrupt: 0,
      ok: true,
      open: 1,
    });
  });

  it('has a gap where rows are missing, once, whether an event says so or not', async () => {
    const folder = temporaryFolder();
    await segment(folder, 1n, [messagesOf(1, 10), [...messagesOf(12, 20), gap(20)]]);
    await segment(folder, 31n, [[...messagesOf(31, 40), gap(40)]]);
    // after 10: a jump; after 20: a jump and its event; after 40: an event; and one that nobody can place
    await segment(folder, 41n, [[gap(undefined)]]);
    expect(await verifyDirectory(folder)).toMatchObject({ rows: 29, gaps: 4, ok: true });
  });

  it('counts rows that stand there twice, and takes them for no gap', async () => {
    const folder = temporaryFolder();
    await segment(folder, 1n, [messagesOf(1, 10)]);
    await segment(folder, 6n, [messagesOf(6, 15)]);
    expect(await verifyDirectory(folder)).toMatchObject({ rows: 20, duplicates: 5, gaps: 0 });
  });

  it('is not in order when a sealed segment is damaged or cut', async () => {
    for (const spoil of [
      (bytes: Buffer) => bytes.subarray(0, bytes.length - 20),
      (bytes: Buffer) => bytes.fill((bytes[3000] ?? 0) ^ 1, 3000, 3001),
      (bytes: Buffer) => Buffer.concat([bytes, Buffer.from([0])]),
    ]) {
      const folder = temporaryFolder();
      const path = await segment(folder, 1n, [messagesOf(1, 60), messagesOf(61, 120)]);
      writeFileSync(path, spoil(readFileSync(path)));
      expect(await verifyDirectory(folder)).toMatchObject({ segments: 1, corrupt: 1, ok: false });
    }
  });

  it('that is not there is an error that a person can act on', async () => {
    await expect(verifyDirectory('/nowhere/at/all')).rejects.toMatchObject({ codeName: 'fileUnreadable' });
    expect(await verifyDirectory(temporaryFolder())).toMatchObject({ segments: 0, rows: 0, ok: true });
  });
});
