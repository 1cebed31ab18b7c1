import {
  copyFileSync,
  linkSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDataset } from '../../dataset/open-dataset.ts';
import { TroubledDisk } from '../../recording/recording.testing.ts';
import { sha256Of } from './read-segment.ts';
import { SegmentStore, type StoreOptions } from './segment-store.ts';
import { openedStore, segmentFile, temporaryFolder } from './stores.testing.ts';

/** Gives a store a copy of a segment. */
async function give(store: SegmentStore, from: { path: string; file: string }, robot = 'robot-1') {
  const path = join(store.incoming, 'given');
  copyFileSync(from.path, path);
  return store.add({ path, robot, segment: from.file, sha256: await sha256Of(from.path) });
}

const again = async (store: SegmentStore, options: StoreOptions = {}) => {
  await store.close();
  return openedStore(store.directory, options);
};

describe('a store of segments', () => {
  it('holds each once, by its bytes, and knows it again after a restart', async () => {
    const one = await segmentFile(1);
    const store = await openedStore();
    expect(await give(store, one)).toMatchObject({
      outcome: 'stored',
      segment: { rows: 50, tasks: ['standing-still'] },
    });
    expect(await give(store, one)).toMatchObject({ outcome: 'known' });
    expect(readdirSync(store.incoming)).toEqual([]);
    const later = await again(store);
    expect(later.list()).toEqual(store.list());
    expect(later.find('robot-1', one.file)?.sha256).toBe(await sha256Of(later.pathOf(await sha256Of(one.path))));
    expect(await give(later, one)).toMatchObject({ outcome: 'known' });
  });

  it.each(['lost', 'cut off', 'rubbish', 'of other segments'])('makes its index anew when it is %s', async (how) => {
    const store = await openedStore();
    const segments = [await segmentFile(1), await segmentFile(100), await segmentFile(200)];
    for (const segment of segments) await give(store, segment);
    const before = store.list().map(({ at: _, ...rest }) => rest);
    await store.close();
    const index = join(store.directory, 'index.jsonl');
    if (how === 'lost') rmSync(index);
    if (how === 'cut off') truncateSync(index, statSync(index).size - 20);
    if (how === 'rubbish') writeFileSync(index, '{"sha256":1}\n\0\0\0');
    if (how === 'of other segments')
      writeFileSync(index, readFileSync(index, 'utf8').replaceAll(/"sha256":"./g, '"sha256":"0'));
    const problems: string[] = [];
    const later = await openedStore(store.directory, { onProblem: (problem) => problems.push(problem) });
    const byName = (a: { segment: string }, b: { segment: string }) => (a.segment < b.segment ? -1 : 1);
    expect(
      later
        .list()
        .map(({ at: _, ...rest }) => rest)
        .sort(byName),
    ).toEqual(before.sort(byName));
    expect(problems).toHaveLength(1);
    // Put right for good.
    const quiet: string[] = [];
    await again(later, { onProblem: (problem) => quiet.push(problem) });
    expect(quiet).toEqual([]);
  });

  it('takes no other bytes than those that were meant', async () => {
    const store = await openedStore();
    const [one, two] = [await segmentFile(1), await segmentFile(100)];
    const path = join(store.incoming, 'given');
    copyFileSync(one.path, path);
    const sha256 = await sha256Of(two.path);
    expect(await store.add({ path, robot: 'robot-1', segment: one.file, sha256 })).toMatchObject({
      outcome: 'other-bytes',
    });
    expect(store.list()).toEqual([]);
    expect(readdirSync(store.incoming)).toEqual(['given']);
  });

  it('puts aside what does not read as a whole, with the reason, and remembers it', async () => {
    const store = await openedStore();
    const one = await segmentFile(1);
    truncateSync(one.path, statSync(one.path).size - 30);
    const added = await give(store, one);
    expect(added).toMatchObject({ outcome: 'quarantined', reason: expect.stringMatching(/./) });
    const sha256 = await sha256Of(one.path);
    const later = await again(store);
    expect(later.quarantined(sha256)).toMatchObject({ robot: 'robot-1', segment: one.file });
    expect(readdirSync(join(later.directory, 'quarantine')).sort()).toEqual([`${sha256}.json`, `${sha256}.mcap`]);
    expect(later.list()).toEqual([]);
  });

  it('does not take other contents under the same name of a robot', async () => {
    const store = await openedStore();
    const [one, two] = [await segmentFile(1), await segmentFile(100)];
    await give(store, one);
    expect(await give(store, { path: two.path, file: one.file })).toMatchObject({ outcome: 'quarantined' });
    expect(await give(store, { path: two.path, file: one.file }, 'robot-2')).toMatchObject({ outcome: 'stored' });
  });

  it('notices what has changed in it while it was closed, once its index is gone', async () => {
    const store = await openedStore();
    const one = await segmentFile(1);
    await give(store, one);
    await store.close();
    const path = store.pathOf(await sha256Of(one.path));
    const bytes = readFileSync(path);
    bytes[bytes.length - 100] = (bytes[bytes.length - 100] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    rmSync(join(store.directory, 'index.jsonl'));
    const later = await openedStore(store.directory);
    expect(later.list()).toEqual([]);
    expect(later.listQuarantined()).toHaveLength(1);
  });

  it('gives a folder for a task that datasets are read from, and keeps it current', async () => {
    const store = await openedStore();
    await give(store, await segmentFile(1));
    await give(store, await segmentFile(100, { task: 'moving-straight' }));
    const folder = await store.datasetFolder('standing-still');
    expect(readdirSync(folder)).toHaveLength(1);
    await give(store, await segmentFile(200));
    const other = await segmentFile(300);
    await give(store, other, 'robot-2');
    await give(store, { ...(await segmentFile(400)), file: other.file }, 'robot-3');
    linkSync(join(folder, readdirSync(folder)[0] ?? ''), join(folder, 'left-over.mcap'));
    expect(await store.datasetFolder('standing-still')).toBe(folder);
    expect(readdirSync(folder)).toHaveLength(4);
    const source = await openDataset(folder, { task: 'standing-still' });
    let rows = 0;
    for await (const batch of source.batches()) rows += batch.rewards.length;
    expect(rows).toBeGreaterThan(4 * 40);
  });

  it('says no to a second process', async () => {
    const store = await openedStore();
    await expect(SegmentStore.open(store.directory)).rejects.toMatchObject({ codeName: 'storeUnusable' });
  });

  it('leaves a file where it was when the disk fails, and takes it later', async () => {
    const disk = new TroubledDisk();
    const store = await openedStore(temporaryFolder(), { disk });
    const one = await segmentFile(1);
    disk.broken.rename = 'ENOSPC';
    await expect(give(store, one)).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(store.list()).toEqual([]);
    disk.broken.rename = '';
    expect(await give(store, one)).toMatchObject({ outcome: 'stored' });
  });
});
