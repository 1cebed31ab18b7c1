import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { messagesOf, range, rowsIn, TroubledDisk, temporaryFolder } from './recording.testing.ts';
import { repairPart } from './repair.ts';
import { SegmentReader } from './segment-reader.ts';
import { SegmentWriter } from './segment-writer.ts';
import { repairAll } from './stock.ts';

const STEM = 'robot-1-0000000000c0ffee-000000000001';
const CHUNK = 60;
const CHUNKS = 4;

/** A segment whose writer died after some chunks. */
async function leftBehind() {
  const folder = temporaryFolder();
  const path = join(folder, `${STEM}.part`);
  const writer = new SegmentWriter({ disk: new TroubledDisk(), path, metadata: new Map([['robot', 'robot-1']]) });
  await writer.open();
  const safe = [writer.bytes];
  for (let chunk = 0; chunk < CHUNKS; chunk++) {
    await writer.append(messagesOf(1 + chunk * CHUNK, (chunk + 1) * CHUNK));
    safe.push(writer.bytes);
  }
  await writer.abandon();
  return { folder, path, sealed: join(folder, `${STEM}.mcap`), safe };
}

async function endingOf(path: string) {
  const reader = new SegmentReader(path);
  for await (const _ of reader.chunks());
  return reader.ending?.kind;
}

describe('a segment that its writer left open', () => {
  it('is sealed with all its rows, metadata and nothing beside it', async () => {
    const { folder, path, sealed } = await leftBehind();
    const repaired = await repairPart(path, new TroubledDisk());
    expect(repaired).toMatchObject({ sealed, rows: CHUNK * CHUNKS, lostBytes: 0, keptAside: undefined });
    expect(readdirSync(folder)).toEqual([`${STEM}.mcap`]);
    expect(await endingOf(sealed)).toBe('sealed');
    expect(await rowsIn(sealed)).toEqual(range(1, CHUNK * CHUNKS));
    const reader = new SegmentReader(sealed);
    for await (const _ of reader.chunks());
    expect(reader.metadata.get('robot')).toBe('robot-1');
    expect(reader.metadata.get('repaired')).toBe('yes');
  });

  it('loses a commit that was cut off, and nothing is kept of that', async () => {
    await fc.assert(
      fc.asyncProperty(fc.double({ min: 0, max: 1, noNaN: true }), async (share) => {
        const { folder, path, sealed, safe } = await leftBehind();
        const bytes = readFileSync(path);
        const length = Math.floor(share * bytes.length);
        writeFileSync(path, bytes.subarray(0, length));
        await repairPart(path, new TroubledDisk());
        const whole = safe.filter((end, chunk) => chunk > 0 && end <= length).length;
        if (!existsSync(sealed)) {
          expect(whole).toBe(0);
          expect(readdirSync(folder)).toEqual([]);
          return;
        }
        const rows = await rowsIn(sealed);
        expect(rows).toEqual(range(1, rows.length));
        expect(rows.length).toBeGreaterThanOrEqual(whole * CHUNK);
        expect(await endingOf(sealed)).toBe('sealed');
        expect(readdirSync(folder)).toEqual([`${STEM}.mcap`]);
      }),
      { numRuns: 40 },
    );
  });

  it('with damage in its middle yields the rows before, and stays beside', async () => {
    const { folder, path, sealed, safe } = await leftBehind();
    const bytes = readFileSync(path);
    bytes.fill(0, (safe[2] ?? 0) + 500, (safe[2] ?? 0) + 600);
    writeFileSync(path, bytes);
    const repaired = await repairPart(path, new TroubledDisk());
    expect(await rowsIn(sealed)).toEqual(range(1, 2 * CHUNK));
    expect(repaired.lostBytes).toBe(bytes.length - (safe[2] ?? 0));
    expect(repaired.reason).toMatch(/CRC/);
    expect(readdirSync(folder).sort()).toEqual([`${STEM}.damaged`, `${STEM}.mcap`]);
    expect(readFileSync(join(folder, `${STEM}.damaged`)).equals(bytes)).toBe(true);
  });

  it('that is complete is sealed as it is', async () => {
    const { folder, path, sealed } = await leftBehind();
    await repairPart(path, new TroubledDisk());
    const complete = readFileSync(sealed);
    writeFileSync(path, complete);
    // Both cannot come from a recorder; neither is touched.
    await expect(repairPart(path, new TroubledDisk())).rejects.toMatchObject({ codeName: 'recordingFailed' });
    const disk = new TroubledDisk();
    await disk.remove(sealed);
    await repairPart(path, disk);
    expect(readdirSync(folder)).toEqual([`${STEM}.mcap`]);
    expect(await endingOf(sealed)).toBe('sealed');
    expect(await rowsIn(sealed)).toEqual(range(1, CHUNK * CHUNKS));
  });
});

describe('a repair that is cut off itself', () => {
  it.each(['create', 'write', 'sync', 'rename'] as const)(
    'by a failing %s is done by the next one',
    async (operation) => {
      const { folder, path, sealed } = await leftBehind();
      const disk = new TroubledDisk();
      disk.broken[operation] = 'EIO';
      expect(await repairAll(folder, disk)).toMatchObject([
        { file: `${STEM}.part`, failure: expect.stringContaining('EIO') },
      ]);
      expect(await rowsIn(path)).toEqual(range(1, CHUNK * CHUNKS));
      delete disk.broken[operation];
      expect(await repairAll(folder, disk)).toMatchObject([{ repaired: { rows: CHUNK * CHUNKS } }]);
      expect(readdirSync(folder)).toEqual([`${STEM}.mcap`]);
      expect(await rowsIn(sealed)).toEqual(range(1, CHUNK * CHUNKS));
    },
  );

  it('on a full disk leaves the original as it was', async () => {
    const { folder, path } = await leftBehind();
    const before = readFileSync(path);
    const disk = new TroubledDisk();
    disk.room = 20_000;
    expect(await repairAll(folder, disk)).toMatchObject([{ failure: expect.stringContaining('ENOSPC') }]);
    expect(readdirSync(folder)).toEqual([`${STEM}.part`]);
    expect(readFileSync(path).equals(before)).toBe(true);
  });
});
