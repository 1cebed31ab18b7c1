import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { describe, expect, it, vi } from 'vitest';
import { registerDataset } from '../../src/commands/dataset.ts';
import { readDataset } from '../../src/dataset/open-dataset.ts';
import { rowAt, temporaryFolder, writeSegment } from '../../src/dataset/segments/segments.testing.ts';
import { limitBit } from '../../src/messages/states.ts';

/** What a command prints, and what it throws. */
async function run(...args: string[]): Promise<{ last: Record<string, unknown>; text: string; error: unknown }> {
  const program = new Command().exitOverride();
  registerDataset(program);
  const written: string[] = [];
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    written.push(String(text));
    return true;
  });
  let error: unknown;
  try {
    await program.parseAsync(['node', 'h2o-edge', 'dataset', ...args]);
  } catch (thrown) {
    error = thrown;
  } finally {
    spy.mockRestore();
  }
  const text = written.join('').trimEnd();
  const last = text.split('\n').at(-1) ?? '';
  return { last: last.startsWith('{') ? JSON.parse(last) : {}, text, error };
}

const LOG = ['0 0.5 0.01 0 1 0', '0.0025 0.5 0.01 0 -4 0', '0.005 0.5 0.6 0 0 1', ''].join('\n');

async function recording(first: number, last: number): Promise<string> {
  const folder = temporaryFolder();
  const rows = Array.from({ length: last - first + 1 }, (_, index) =>
    rowAt(first + index, { limits: index === 5 ? limitBit('slew') : 0 }),
  );
  await writeSegment(folder, rows);
  return folder;
}

describe('dataset import', () => {
  it('makes a folder of a log that training and export read', async () => {
    const folder = temporaryFolder();
    const log = join(folder, 'log.txt');
    writeFileSync(log, LOG);
    const out = join(folder, 'imported');
    const { last, error } = await run('import', log, '--task', 'moving-straight', '--out', out, '--json');
    expect(error).toBeUndefined();
    expect(last).toMatchObject({ ok: true, from: 'log', rows: 2, episodes: 1, falls: 1 });
    expect(readdirSync(out)).toEqual(['dataset.hdf5']);
    const all = await readDataset(out);
    expect(all.actions).toEqual(Float32Array.of(1 / 3, -1));
    expect(all.rewards).toEqual(Float32Array.of(15 - (0.09 + 1), 15 - (0.09 + 16)));
    expect(all.provenance).toMatchObject({ task: 'moving-straight', source: 'robot log', torqueScale: 3 });

    const again = join(folder, 'data.csv');
    expect((await run('export', out, '--format', 'csv', '--out', again, '--json')).last).toMatchObject({ rows: 2 });
    expect((await readDataset(again)).rewards).toEqual(all.rewards);
  });

  it('asks for the task of a log, and takes no other than that of a dataset', async () => {
    const folder = temporaryFolder();
    const log = join(folder, 'log.txt');
    writeFileSync(log, LOG);
    const out = join(folder, 'out');
    expect((await run('import', log, '--out', out)).error).toMatchObject({
      codeName: 'usage',
      remedy: expect.stringContaining('standing-still'),
    });
    expect(existsSync(out)).toBe(false);
    await run('import', log, '--task', 'standing-still', '--out', out);
    expect((await run('import', out, '--task', 'moving-straight', '--out', join(folder, 'b'))).error).toMatchObject({
      codeName: 'usage',
      message: expect.stringContaining('standing-still, not for moving-straight'),
    });
    expect((await run('import', log, '--task', 'dance', '--out', join(folder, 'b'))).error).toMatchObject({
      codeName: 'usage',
    });
    expect((await run('import', log, '--task', 'standing-still', '--out', out)).error).toMatchObject({
      codeName: 'datasetNotWritten',
      message: expect.stringContaining('exists'),
    });
  });

  it('leaves nothing behind after bad input', async () => {
    const folder = temporaryFolder();
    const log = join(folder, 'log.txt');
    writeFileSync(log, '0 0 0 0 0 0\n0 0 0 nan 0 0\n');
    const { error } = await run('import', log, '--task', 'standing-still', '--out', join(folder, 'out'));
    expect(error).toMatchObject({ codeName: 'logInvalid', message: expect.stringContaining('log.txt:2: pitch rate') });
    expect(readdirSync(folder)).toEqual(['log.txt']);
  });
});

describe('dataset export', () => {
  it('of a recording, all of it or only the clean rows', async () => {
    const folder = await recording(1, 40);
    const out = temporaryFolder();
    const { last } = await run('export', folder, '--format', 'd4rl', '--out', join(out, 'all.hdf5'), '--json');
    expect(last).toMatchObject({ ok: true, format: 'd4rl', rows: 40, episodes: 1, warnings: [] });
    const clean = ['export', folder, '--format', 'd4rl', '--only-clean', '--json', '--out'];
    expect((await run(...clean, join(out, 'clean.hdf5'))).last).toMatchObject({ rows: 39, episodes: 2 });
    const slow = ['export', folder, '--format', 'minari', '--rate', '50', '--json', '--out', join(out, 'slow-v0')];
    expect((await run(...slow)).last).toMatchObject({ rows: 10, provenance: { hold: 4, rate: 50 } });
    const { text } = await run('export', folder, '--format', 'lerobot', '--out', join(out, 'lerobot'));
    expect(text).toMatch(/lerobot: 40 transitions, 1 episodes, 0 falls, \d/);
  });

  it('writes over nothing, and says what does not fit', async () => {
    const folder = await recording(1, 10);
    const out = join(temporaryFolder(), 'data.csv');
    writeFileSync(`${out}.json`, '{}');
    expect((await run('export', folder, '--format', 'csv', '--out', out)).error).toMatchObject({
      codeName: 'datasetNotWritten',
      message: expect.stringContaining('data.csv.json exists'),
    });
    expect(
      (await run('export', folder, '--format', 'd4rl', '--only-clean', '--hold', '4', '--out', join(folder, 'x')))
        .error,
    ).toMatchObject({ codeName: 'datasetInvalid', message: expect.stringContaining('no transition') });
    expect(readdirSync(folder)).toHaveLength(1);
  });
});

describe('dataset merge', () => {
  it('joins datasets of any form, each with an end of its own', async () => {
    const out = temporaryFolder();
    await run('export', await recording(1, 30), '--format', 'csv', '--out', join(out, 'a.csv'));
    const merged = join(out, 'merged');
    const { last } = await run('merge', join(out, 'a.csv'), await recording(31, 50), '--out', merged, '--json');
    expect(last).toMatchObject({ ok: true, datasets: 2, rows: 50, episodes: 2 });
    const all = await readDataset(merged);
    expect([...all.timeouts].flatMap((value, row) => (value === 1 ? [row] : []))).toEqual([29, 49]);
    expect(all.provenance).toMatchObject({
      task: 'standing-still',
      rate: 200,
      source: 'merged',
      parts: [{ path: join(out, 'a.csv') }, { source: 'robot recording' }],
    });
  });

  it('refuses what does not fit together', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'log.txt'), LOG);
    await run('import', join(folder, 'log.txt'), '--task', 'moving-straight', '--out', join(folder, 'straight'));
    const { error } = await run('merge', await recording(1, 9), join(folder, 'straight'), '--out', join(folder, 'm'));
    expect(error).toMatchObject({
      codeName: 'usage',
      message: expect.stringContaining('task is standing-still here and moving-straight there'),
    });
    expect(existsSync(join(folder, 'm'))).toBe(false);
  });
});
