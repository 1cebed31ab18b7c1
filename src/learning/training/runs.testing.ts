import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { allocate, type Transitions } from '../../dataset/transitions.ts';
import type { AlgorithmName } from '../algorithms/algorithms.ts';
import { adjustRecipe, recipes } from '../recipes/recipes.ts';
import { NoiseStream } from './noise.ts';
import type { RunConfig } from './run-config.ts';

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'h2o-run-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A run of few steps with small networks. */
export function smallRun(algorithm: AlgorithmName, changes: Partial<RunConfig> = {}, knobs: object = {}): RunConfig {
  const recipe = adjustRecipe(
    adjustRecipe(recipes.edge, {
      networks: { hidden: [8, 8], discriminatorHidden: [8, 8] },
      training: { warmUp: 20, batch: 8, simRows: 50 },
      discriminators: { batch: 8 },
      cql: { actions: 2 },
      h2o: { gap: { samples: 2 } },
    }),
    knobs,
  );
  return {
    format: 1,
    environment: 'wheel-legged',
    task: 'standing-still',
    robot: 'wheel-legged',
    algorithm,
    dataset: algorithm === 'sac' ? null : { path: 'data', rows: 200, sha256: '' },
    gaps: [],
    steps: 40,
    seed: 1,
    seeds: 2,
    engine: 'onnx',
    evaluation: { every: 20, episodes: 1, seconds: 1, twinGaps: null },
    metricsEvery: 8,
    checkpointEvery: 15,
    recipe,
    revision: 'test',
    ...changes,
  };
}

/** Rows of no robot, of its sizes and about its values. */
export function madeUpRows(count = 200): Transitions {
  const rows = allocate(count, { observationSize: 4, actionSize: 1, marked: false });
  const noise = new NoiseStream(77);
  for (const array of [rows.observations, rows.nextObservations, rows.actions]) {
    noise.fillNormal(array);
    for (let at = 0; at < array.length; at++) array[at] = 0.1 * (array[at] ?? 0);
  }
  rows.rewards.fill(25);
  // No row goes on where the one before ended.
  rows.timeouts.fill(1);
  return rows;
}
