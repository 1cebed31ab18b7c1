import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { RunConfig } from './run-config.ts';
import { RunFolder } from './run-folder.ts';
import { runTraining } from './run-training.ts';
import { madeUpRows, smallRun, temporaryFolder } from './runs.testing.ts';

/** Runs until it is done, stopped after each of these steps, by a program of its own each time. */
async function run(config: RunConfig, stops: readonly number[] = []): Promise<Buffer[]> {
  const path = join(temporaryFolder(), 'run');
  const transitions = config.dataset ? madeUpRows() : undefined;
  let folder = RunFolder.create(path, config);
  const starts: number[] = [];
  for (const at of [...stops, Number.POSITIVE_INFINITY]) {
    const stop = new AbortController();
    const onStep = (step: number) => {
      if (step === at) stop.abort();
    };
    const { config: read } = RunFolder.open(path);
    const result = await runTraining({
      folder,
      config: read,
      transitions,
      stop: stop.signal,
      onStep,
      onStart: (step) => starts.push(step),
      inThisThread: true,
    });
    expect(result.done).toBe(at === Number.POSITIVE_INFINITY);
    await result.run.dispose();
    folder = RunFolder.open(path).folder;
  }
  expect(starts).toEqual([0, ...stops]);
  const last = folder.checkpoints.list().at(-1);
  return [readFileSync(folder.metricsPath), readFileSync(last ?? '')];
}

describe('a run that was stopped and resumed', () => {
  it.each([
    ['sac', smallRun('sac'), [1, 17, 30]],
    ['h2o on data and a randomised simulator', smallRun('h2o', { gaps: ['randomised'] }), [9]],
    ['cql, which has no simulator', smallRun('cql', { seeds: 1 }), [21]],
    // Rounds of 16 decisions, then 16 steps: it stops in the middle of both.
    [
      'sac in rounds',
      smallRun('sac', { task: 'moving-straight' }, { training: { round: 16, warmUp: 0 } }),
      [5, 16, 33],
    ],
  ] as const)(
    '%s: has the same bits of weights, rings and metrics as one that was not',
    async (_name, config, stops) => {
      const [metrics, checkpoint] = await run(config);
      const [metricsAgain, checkpointAgain] = await run(config, stops);
      expect(metricsAgain?.toString()).toBe(metrics?.toString());
      expect(metrics?.toString().split('\n').length).toBeGreaterThan(5);
      expect(Buffer.compare(checkpointAgain ?? Buffer.of(0), checkpoint ?? Buffer.of(1))).toBe(0);
    },
  );

  it('forgets what it had told after its last checkpoint', async () => {
    const config = smallRun('sac');
    const folder = RunFolder.create(join(temporaryFolder(), 'run'), config);
    const result = await runTraining({ folder, config, transitions: undefined, inThisThread: true });
    await result.run.dispose();
    const whole = readFileSync(folder.metricsPath, 'utf8');
    const again = RunFolder.open(folder.path);
    again.folder.openMetrics(whole.length);
    again.folder.appendMetrics({ kind: 'training', step: 99, seed: 1 });
    again.folder.close();
    const resumed = await runTraining({ ...again, transitions: undefined, inThisThread: true });
    await resumed.run.dispose();
    expect(readFileSync(folder.metricsPath, 'utf8')).toBe(whole);
  });
});

describe('several seeds at once', () => {
  it('each sees the same episodes and batches as alone, and learns the same but for the last bits', async () => {
    const knobs = { training: { warmUp: 20 } };
    const linesOf = ([metrics]: Buffer[]) =>
      (metrics?.toString() ?? '')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    const together = linesOf(await run(smallRun('sac', { steps: 8 }, knobs))).filter(({ seed }) => seed === 2);
    const alone = linesOf(await run(smallRun('sac', { steps: 8, seed: 2, seeds: 1 }, knobs)));
    expect(together.length).toBe(alone.length);
    for (const [index, record] of alone.entries()) {
      for (const [name, value] of Object.entries(record)) {
        const other = together[index]?.[name];
        if (typeof value === 'number') expect(other, name).toBeCloseTo(value, 2);
      }
    }
    expect(together[0]?.episodes).toBe(alone[0]?.episodes);
  });
});
