import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { h2oEdge, lastLine, temporaryFolder } from '../harness.ts';

const PYTHON = '/usr/bin/python3';
const hasH5py = existsSync(PYTHON) && spawnSync(PYTHON, ['-c', 'import h5py']).status === 0;

/** What a researcher computes from the file with nothing but h5py and numpy. */
const SCRIPT = `
import h5py, json, sys
import numpy as np
f = h5py.File(sys.argv[1])
o, a, r, n, t, e = [f[k][:] for k in ('observations', 'actions', 'rewards', 'next_observations', 'terminals', 'timeouts')]
end = np.flatnonzero((t + e) > 0)
inner = ((t + e) == 0)[:-1]
returns = np.add.reduceat(r.astype(float), np.r_[0, end[:-1] + 1])
print(json.dumps({
    'rows': len(o),
    'episodes': len(end),
    'falls': int(t.sum()),
    'fallen': bool((np.abs(n[:, 2]) > np.pi / 6).tolist() == (t > 0).tolist()),
    'whole': bool((n[:-1][inner] == o[1:][inner]).all()),
    'ends': bool((t + e)[-1] == 1),
    'range': bool((np.abs(a) <= 1).all()),
    'reward': [float(r.astype(float).mean()), float(r.min()), float(r.max())],
    'return': float(returns.mean()),
    'pitch': [float(o[:, 2].astype(float).mean()), float(o[:, 2].astype(float).std())],
    'paper': float(np.abs(r - (30 - (3 * a[:, 0])**2 - (n**2).sum(1)))[np.abs(a[:, 0]) < 1].max()),
    'provenance': json.loads(f.attrs['provenance']),
}))
`;

it.skipIf(!hasH5py)('is collected, exported, read by h5py, imported and counted: always the same data', async () => {
  const folder = temporaryFolder();
  const collected = await h2oEdge(
    [
      ...['record', '--task', 'standing-still', '--transitions', '2000', '--simulate', '--out', 'collected', '--json'],
      ...['--noise', 'falling', '--wander', '1', '--gap', 'twin-d', '--seed', '11', '--simulator-seed', '5'],
    ],
    folder,
  );
  const job = lastLine(collected);
  expect(job, collected.stderr).toMatchObject({ ok: true, ended: 'done', onDisk: true });
  expect(job.falls).toBeGreaterThan(0);

  const run = async (...words: string[]) => {
    const finished = await h2oEdge(['dataset', ...words, '--json'], folder);
    expect(finished.code, finished.stderr).toBe(0);
    return lastLine(finished);
  };
  const recordings = join('collected', 'state', 'recordings');
  const exported = await run('export', recordings, '--format', 'd4rl', '--out', 'standing.hdf5');
  const found = JSON.parse(execFileSync(PYTHON, ['-c', SCRIPT, join(folder, 'standing.hdf5')], { encoding: 'utf8' }));

  // Every fall of the job is a terminal of the data, and no other row is.
  expect(found).toMatchObject({ rows: exported.rows, episodes: exported.episodes, falls: job.falls });
  expect(found).toMatchObject({ fallen: true, whole: true, ends: true, range: true });
  expect(found.rows).toBeGreaterThanOrEqual(Number(job.transitions));
  expect(found.paper).toBeLessThan(1e-4);
  // How the robot behaved came along.
  const { recorded } = found.provenance;
  expect(JSON.parse(recorded.exploration[0])).toMatchObject({ seed: 11, wander: 1, white: 0.5, mostTorque: 1.5 });
  expect(recorded).toMatchObject({ task: ['standing-still'], controller: ['balancer'], model: ['wheel-legged'] });
  expect(Object.keys(recorded)).toEqual(expect.arrayContaining(['robot', 'firmware', 'revision']));

  await run('import', 'standing.hdf5', '--out', 'imported');
  const stats = { recording: await run('stats', recordings), imported: await run('stats', 'imported') };
  for (const one of Object.values(stats)) {
    expect(one).toMatchObject({ transitions: found.rows, episodes: found.episodes, falls: found.falls });
    const {
      reward,
      return: returns,
      observations,
    } = one as unknown as Record<string, Record<string, number>> & {
      observations: Array<{ mean: number; std: number }>;
    };
    expect(reward?.mean).toBeCloseTo(found.reward[0], 4);
    expect([reward?.min, reward?.max]).toEqual(found.reward.slice(1));
    expect(returns?.mean).toBeCloseTo(found.return, 2);
    expect(observations[2]?.mean).toBeCloseTo(found.pitch[0], 6);
    expect(observations[2]?.std).toBeCloseTo(found.pitch[1], 6);
  }
});
