import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDataset, readDataset } from '../open-dataset.ts';
import { collect } from '../source.ts';
import { rowAt, temporaryFolder, writeSegment } from './segments.testing.ts';

const range = (first: number, last: number, changes = {}) =>
  Array.from({ length: last - first + 1 }, (_, index) => rowAt(first + index, changes));

describe('a folder of segments', () => {
  it('is read in order, over the ends of segments and batches', async () => {
    const folder = temporaryFolder();
    await writeSegment(folder, range(9001, 20_000));
    await writeSegment(folder, range(1, 9000));
    const source = await openDataset(folder);
    const all = await collect(source);
    expect(all.count).toBe(20_000);
    expect(source.rowsAtMost).toBeGreaterThanOrEqual(20_000);
    expect([...all.timeouts].filter((value) => value === 1)).toHaveLength(1);
    for (const row of [0, 8190, 8191, 8192, 8999, 9000, 19_999]) {
      expect(all.observations[4 * row]).toBe(Math.fround(rowAt(row + 1).state[0] ?? 0));
    }
    expect(all.provenance).toMatchObject({
      task: 'standing-still',
      rate: 200,
      hold: 1,
      torqueScale: 3,
      segments: 2,
      controllers: ['balancer'],
      rows: { read: 20_000, transitions: 20_000, episodes: 1 },
      recorded: { robot: ['robot-1'] },
    });
    expect(await collect(source)).toEqual(all);
  });

  it('at a lower rate', async () => {
    const folder = temporaryFolder();
    await writeSegment(folder, range(1, 100));
    expect(await readDataset(folder, { rate: 50 })).toMatchObject({ count: 25, provenance: { rate: 50, hold: 4 } });
    expect((await readDataset(folder, { hold: 2 })).count).toBe(50);
    await expect(readDataset(folder, { rate: 150 })).rejects.toMatchObject({
      codeName: 'usage',
      message: expect.stringContaining('150 Hz does not divide the 200 Hz'),
    });
    await expect(readDataset(folder, { hold: 0 })).rejects.toMatchObject({ codeName: 'usage' });
    await expect(readDataset(folder, { hold: 2, rate: 100 })).rejects.toMatchObject({ codeName: 'usage' });
  });

  it('with two tasks in it asks for one', async () => {
    const folder = temporaryFolder();
    await writeSegment(folder, [...range(1, 300), ...range(301, 400, { task: 'moving-straight' })]);
    await expect(readDataset(folder)).rejects.toMatchObject({
      codeName: 'usage',
      message: expect.stringContaining('standing-still, moving-straight'),
      remedy: expect.stringContaining('--task'),
    });
    expect((await readDataset(folder, { task: 'moving-straight' })).count).toBe(100);
    expect((await readDataset(folder, { task: 'standing-still' })).count).toBe(300);
  });

  it('that is damaged is read up to the damage, and says so', async () => {
    const folder = temporaryFolder();
    for (const first of [1, 1001]) await writeSegment(folder, range(first, first + 999));
    const [name = ''] = readdirSync(folder).sort();
    const bytes = readFileSync(join(folder, name));
    bytes.writeUInt8(bytes.readUInt8(150_000) ^ 1, 150_000);
    writeFileSync(join(folder, name), bytes);
    const source = await openDataset(folder);
    const all = await collect(source);
    expect(all.count).toBeGreaterThan(1000);
    expect(all.count).toBeLessThan(2000);
    expect(source.warnings).toEqual([expect.stringContaining(`${name}: damaged: the CRC of a chunk is wrong`)]);
    expect(source.provenance.damagedSegments).toBe(1);
    // What was lost lies between two episodes.
    expect([...all.timeouts].filter((value) => value === 1)).toHaveLength(2);
  });

  it('of which a sealed segment was cut off says so', async () => {
    const folder = temporaryFolder();
    await writeSegment(folder, range(1, 1000));
    const [name = ''] = readdirSync(folder);
    writeFileSync(join(folder, name), readFileSync(join(folder, name)).subarray(0, 150_000));
    const source = await openDataset(folder);
    expect((await collect(source)).count).toBeLessThan(1000);
    expect(source.warnings).toEqual([expect.stringContaining(`${name}: damaged: the file ends`)]);
    expect(source.provenance.damagedSegments).toBe(1);
  });

  it('of which hardly a row is clean says so when only clean ones are wanted', async () => {
    const folder = temporaryFolder();
    await writeSegment(folder, range(1, 100));
    const source = await openDataset(folder, { rate: 50, onlyClean: true });
    expect((await collect(source)).count).toBe(0);
    expect(source.warnings).toEqual([expect.stringContaining('only 0 of 25 transitions are clean')]);
  });

  it('without a running robot is refused', async () => {
    const folder = temporaryFolder();
    await writeSegment(folder, range(1, 10, { robotState: 'limp' }));
    await expect(readDataset(folder)).rejects.toMatchObject({ codeName: 'datasetInvalid' });
    await expect(readDataset(join(folder, 'none'))).rejects.toMatchObject({ codeName: 'fileUnreadable' });
    await expect(readDataset(temporaryFolder())).rejects.toMatchObject({ codeName: 'datasetInvalid' });
  });
});
