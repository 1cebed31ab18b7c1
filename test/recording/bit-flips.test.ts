import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { realDisk } from '../../src/recording/disk.ts';
import { range, rowsIn } from '../../src/recording/recording.testing.ts';
import { repairPart } from '../../src/recording/repair.ts';
import { isSegment } from '../../src/recording/segment-name.ts';
import { verifyDirectory } from '../../src/recording/verify.ts';
import { lastDurable, startRecording, temporaryFolder } from './processes.ts';

const FLIPS = 60;

/** What a recorder that was killed has left: sealed segments, and one without an end. */
async function leftBehind(): Promise<{ name: string; bytes: Buffer; rows: number[] }[]> {
  const directory = temporaryFolder();
  const recording = startRecording(['fast', directory], (line) => {
    if (lastDurable([line]) > 5000) recording.child.kill('SIGKILL');
  });
  await recording.gone;
  const left: { name: string; bytes: Buffer; rows: number[] }[] = [];
  for (const name of readdirSync(directory).filter(isSegment)) {
    left.push({ name, bytes: readFileSync(join(directory, name)), rows: await rowsIn(join(directory, name)) });
  }
  return left;
}

it('a bit that flips anywhere is found, by verifying and by repairing; no row is ever read with other contents', async () => {
  const left = await leftBehind();
  expect(left.map(({ name }) => name.slice(-5)).sort()).toEqual(expect.arrayContaining(['.mcap', '.part']));
  for (const { name, bytes, rows } of left) {
    for (let flip = 0; flip < FLIPS; flip++) {
      const bit = Math.floor(Math.random() * bytes.length * 8);
      const flipped = Buffer.from(bytes);
      const at = bit >>> 3;
      flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << (bit & 7)), at);
      const directory = temporaryFolder();
      const path = join(directory, name);
      writeFileSync(path, flipped);
      const what = `bit ${bit} of ${name}`;
      // It reads a beginning of what was written, as it was written.
      const read = await rowsIn(path);
      expect(read, what).toEqual(rows.slice(0, read.length));
      const report = await verifyDirectory(directory);
      expect(report.rows, what).toBe(read.length);
      if (name.endsWith('.mcap')) expect(report, what).toMatchObject({ corrupt: 1, ok: false });
      // One without an end: found, or nothing is missing (an index of messages is worth nothing without the end).
      else if (report.ok) expect(read, what).toEqual(rows);
      const part = path.replace(/\.mcap$/, '.part');
      if (part !== path) await realDisk.rename(path, part);
      await repairPart(part, realDisk, { keepOriginal: part !== path });
      const sealed = readdirSync(directory).filter((file) => file.endsWith('.mcap'));
      for (const file of sealed) expect(await rowsIn(join(directory, file)), what).toEqual(read);
      // What could not be used is still there.
      const kept = readdirSync(directory).filter((file) => file.endsWith('.damaged'));
      if (read.length < rows.length) expect(kept, what).toHaveLength(1);
      expect(await verifyDirectory(directory), what).toMatchObject({ corrupt: 0, ok: true, rows: read.length });
    }
  }
  expect(left.flatMap(({ rows }) => rows)).toEqual(
    range(
      1,
      left.reduce((sum, { rows }) => sum + rows.length, 0),
    ),
  );
});
