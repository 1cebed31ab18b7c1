import { join } from 'node:path';
import { expect, it } from 'vitest';
import { RunFolder } from './run-folder.ts';
import { runTraining } from './run-training.ts';
import { madeUpRows, smallRun, temporaryFolder } from './runs.testing.ts';

it('a loss that is no number stops the run, is named, and the last good checkpoint stays', async () => {
  const config = smallRun('cql', { seeds: 1, steps: 100, checkpointEvery: 3 }, { training: { learningRate: 1e9 } });
  const folder = RunFolder.create(join(temporaryFolder(), 'run'), config);
  const transitions = madeUpRows();
  const problem: unknown = await runTraining({ folder, config, transitions, inThisThread: true }).catch(
    (error) => error,
  );
  expect(problem).toMatchObject({ codeName: 'trainingDiverged' });
  expect(String(problem)).toMatch(/"[\w/]+" of seed 1 is (NaN|-?Infinity) in step \d+/);
  for (const _path of folder.checkpoints.list()) expect(String(problem)).toContain('is good');
  const kept = folder.checkpoints.newest(() => expect.unreachable());
  for (const values of Object.values(kept?.arrays ?? {})) expect(values.every(Number.isFinite)).toBe(true);
});
