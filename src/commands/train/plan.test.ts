import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { exportDataset } from '../../dataset/export/export-dataset.ts';
import type { Transitions } from '../../dataset/transitions.ts';
import { madeUpRows, temporaryFolder } from '../../learning/training/runs.testing.ts';
import type { TrainOptions } from '../train.ts';
import { dataOf, planRun } from './plan.ts';

const given: TrainOptions = {
  task: 'standing-still',
  algorithm: 'sac',
  environment: 'wheel-legged',
  robot: 'wheel-legged',
  recipe: 'edge',
  seed: 1,
  seeds: 1,
  engine: 'onnx',
  evaluationEpisodes: 1,
  evaluationSeconds: 1,
  policyVersion: 1,
};

const { task: _, ...taskless } = given;
const { algorithm: __, ...planless } = given;

/** Writes rows as D4RL HDF5. @returns its path */
async function written(rows: Transitions, provenance: Transitions['provenance']): Promise<string> {
  const path = join(temporaryFolder(), 'data.hdf5');
  const { observationSize, actionSize, count } = rows;
  const source = {
    path: 'made up',
    format: 'd4rl',
    shape: { observationSize, actionSize, marked: false },
    rowsAtMost: count,
    provenance,
    warnings: [],
    async *batches() {
      yield rows;
    },
  } as const;
  await exportDataset(source, 'd4rl', path);
  return path;
}

const standing = { task: 'standing-still', rate: 50 };

describe('what train is told', () => {
  it.each<[string, TrainOptions, RegExp]>([
    ['no task', taskless, /no task is named/],
    ['no algorithm', planless, /no algorithm is named/],
    ['another algorithm', { ...given, algorithm: 'ppo' }, /no algorithm "ppo"/],
    ['no data', { ...given, algorithm: 'h2o' }, /h2o learns from real data/],
    ['an unknown knob', { ...given, set: ['training.batsch=3'] }, /no knob "training.batsch"/],
    ['a knob without a value', { ...given, set: ['training.batch'] }, /is not knob=value/],
    ['a bad value', { ...given, set: ['training.batch=many'] }, /"training.batch" does not take "many"/],
    ['a rate that does not divide', { ...given, set: ['decisionRate=60'] }, /60 Hz do not divide/],
    ['another engine', { ...given, engine: 'cuda' }, /no engine "cuda"/],
    ['no steps', { ...given, steps: 0 }, /steps: /],
    ['another recipe', { ...given, recipe: 'secret' }, /no recipe "secret"/],
    ['a task of HalfCheetah', { ...given, environment: 'half-cheetah' }, /HalfCheetah has no task/],
  ])('%s is refused', async (_name, options, expected) => {
    await expect(planRun(options)).rejects.toThrow(expected);
  });

  it.each<[string, Transitions, Transitions['provenance'], Partial<TrainOptions>, RegExp]>([
    [
      'of another task',
      madeUpRows(),
      { ...standing, task: 'moving-straight' },
      {},
      /are for moving-straight, not for standing-still/,
    ],
    [
      'at another rate',
      madeUpRows(),
      { ...standing, rate: 200 },
      {},
      /decisions at 200 Hz, the recipe decides at 50 Hz/,
    ],
    ['of too few rows', madeUpRows(10), standing, {}, /10 transitions are too few/],
    ['of another robot', madeUpRows(), standing, { environment: 'half-cheetah' }, /4 and actions of 1 .* 17 and 6/],
  ])('data %s are refused', async (_name, rows, provenance, changes, expected) => {
    const dataset = await written(rows, provenance);
    const { task, ...others } = given;
    const options = { ...others, algorithm: 'h2o', dataset, ...changes };
    const whole = changes.environment === undefined && task !== undefined ? { ...options, task } : options;
    await expect(planRun(whole)).rejects.toThrow(expected);
  });

  it('becomes a configuration that holds every knob, and the sum of the data, which must stay', async () => {
    const rows = madeUpRows();
    const dataset = await written(rows, standing);
    const set = ['training.batch=16', 'h2o.gap.weight=1', 'networks.hidden=[8, 8]', 'training.decay=null'];
    const { config, transitions } = await planRun({
      ...given,
      algorithm: 'h2o',
      dataset,
      set,
      gap: ['none'],
      steps: 120,
    });
    expect(config).toMatchObject({
      gaps: [],
      dataset: { path: dataset, rows: 200 },
      evaluation: { every: 10, twinGaps: null },
      recipe: {
        name: 'edge',
        networks: { hidden: [8, 8] },
        training: { batch: 16, decay: null },
        h2o: { gap: { weight: 1 } },
      },
    });
    expect(transitions?.observations).toEqual(rows.observations);
    expect((await dataOf(config))?.rewards).toEqual(rows.rewards);
    const others = await written({ ...rows, rewards: rows.rewards.map((r) => r + 1) }, standing);
    const changed = { ...config, dataset: { path: others, rows: 200, sha256: config.dataset?.sha256 ?? '' } };
    await expect(dataOf(changed)).rejects.toThrow(/is not what the run began with/);
  });

  it('warns of what has no effect', async () => {
    const { warnings } = await planRun({ ...given, dataset: 'nowhere' });
    expect(warnings).toEqual([expect.stringContaining('sac uses no real data')]);
  });
});
