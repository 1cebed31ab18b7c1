import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { h2oEdge, lastLine, temporaryFolder } from '../harness.ts';

/** A log of the authors' form: x, v, pitch, pitch rate, torque, done. */
function logIn(folder: string): string {
  const rows = Array.from({ length: 400 }, (_, row) => {
    const [pitch, done] = row === 399 ? [0.6, 1] : [Math.sin(row / 20) / 10, 0];
    return [row / 1000, Math.sin(row / 30) / 4, pitch, Math.cos(row / 20) / 2, Math.sin(row / 9) * 3.3, done];
  });
  const path = join(folder, 'robot.txt');
  writeFileSync(path, rows.map((row) => row.join(' ')).join('\n'));
  return path;
}

describe('dataset stats and plot', () => {
  it('say what a dataset is like', async () => {
    const path = logIn(temporaryFolder());
    const told = await h2oEdge(['dataset', 'stats', path, '--task', 'standing-still', '--json']);
    expect(told.code).toBe(0);
    const { transitions, falls, episodes, clampedShare, coverage, observations } = lastLine(told);
    expect({ falls, episodes }).toEqual({ falls: 1, episodes: 1 });
    expect(transitions).toBeGreaterThan(300);
    expect(clampedShare).toBeGreaterThan(0);
    expect(coverage).toMatchObject({ balance: expect.closeTo(0.05, 1) });
    expect(observations).toHaveLength(4);
    expect((await h2oEdge(['dataset', 'stats', path, '--task', 'standing-still'])).stdout).toMatch(/1 ended in a fall/);
  });

  it('draw it', async () => {
    const folder = temporaryFolder();
    const out = join(folder, 'figures');
    const drawn = await h2oEdge(['dataset', 'plot', logIn(folder), '--task', 'standing-still', '--out', out, '--json']);
    expect(drawn.code).toBe(0);
    const files = lastLine(drawn).files as string[];
    expect(files).toEqual(['distributions.svg', 'time.svg', 'coverage.svg'].map((name) => join(out, name)));
    for (const file of files) expect(readFileSync(file, 'utf8')).toMatch(/^<svg.*<\/svg>$/s);
  });

  it('name what is wrong, and leave nothing half done', async () => {
    const folder = temporaryFolder();
    const path = logIn(folder);
    const nothing = await h2oEdge(['dataset', 'stats', join(folder, 'nothing'), '--task', 'standing-still']);
    expect([nothing.code, nothing.stderr]).toEqual([1, expect.stringMatching(/cannot read .*nothing/)]);
    const blocked = join(path, 'figures');
    const plot = await h2oEdge(['dataset', 'plot', path, '--task', 'standing-still', '--out', blocked]);
    expect([plot.code, plot.stderr]).toEqual([1, expect.stringMatching(/cannot write to .*figures/)]);
    expect(existsSync(blocked)).toBe(false);
  });
});
