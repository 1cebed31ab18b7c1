import { join, resolve } from 'node:path';
import { exportDataset } from '../../dataset/export/export-dataset.ts';
import { EdgeError } from '../../errors.ts';
import { readPrivateKey } from '../../keys/key-pair.ts';
import { writeWhole } from '../../learning/training/checkpoint-file.ts';
import { drawCurves, readMetrics, summarise } from '../../learning/training/curves.ts';
import type { PreparedRun } from '../../learning/training/prepare-run.ts';
import { replaySource } from '../../learning/training/replay-source.ts';
import type { RunConfig } from '../../learning/training/run-config.ts';
import { RunFolder } from '../../learning/training/run-folder.ts';
import { runTraining } from '../../learning/training/run-training.ts';
import { writePolicies } from '../../learning/training/write-policies.ts';
import { complain, say, sayJson } from '../output.ts';
import type { TrainOptions } from '../train.ts';
import { trainLinear } from './linear.ts';
import { dataOf, planRun } from './plan.ts';
import { Progress } from './progress.ts';

/** Numbers of signals, for the exit code of a run that one has stopped. */
const SIGNALS = { SIGINT: 2, SIGTERM: 15 } as const;

export async function train(options: TrainOptions): Promise<void> {
  // Whatever is wrong with the key is better known before the training than after it.
  const key = options.key === undefined ? undefined : readPrivateKey(options.key);
  if (options.algorithm === 'linear' && options.resume === undefined) {
    await trainLinear(options, key);
    return;
  }
  const { folder, config, transitions } = await begin(options);
  const progress = new Progress(config);
  const stop = new AbortController();
  let signal: keyof typeof SIGNALS | undefined;
  const onSignal = (name: NodeJS.Signals) => {
    // The second one ends it at once.
    process.removeListener('SIGINT', onSignal).removeListener('SIGTERM', onSignal);
    signal = name === 'SIGTERM' ? 'SIGTERM' : 'SIGINT';
    stop.abort();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  let run: PreparedRun | undefined;
  try {
    const result = await runTraining({
      folder,
      config,
      transitions,
      stop: stop.signal,
      onStart: (step) => progress.start(step),
      onStep: (step) => progress.step(step),
      onRecord: (record) => progress.record(record),
      onWarning: complain,
    });
    run = result.run;
    progress.end();
    if (!result.done) {
      complain(`saved at step ${run.training.updates}; go on with: h2o-edge train --resume ${folder.path}`);
      process.exitCode = 128 + SIGNALS[signal ?? 'SIGINT'];
      return;
    }
    await finish(run, config, folder, options, key);
  } finally {
    process.removeListener('SIGINT', onSignal).removeListener('SIGTERM', onSignal);
    progress.end();
    await run?.dispose();
  }
}

async function begin(options: TrainOptions) {
  if (options.resume !== undefined) {
    const { folder, config } = RunFolder.open(resolve(options.resume));
    return { folder, config, transitions: await dataOf(config) };
  }
  if (options.out === undefined) {
    throw new EdgeError('usage', 'no folder for the run is named', 'add --out DIR, or --resume DIR to go on with one');
  }
  const { config, transitions, warnings } = await planRun(options);
  for (const warning of warnings) complain(`warning: ${warning}`);
  return { folder: RunFolder.create(resolve(options.out), config), config, transitions };
}

async function finish(
  run: PreparedRun,
  config: RunConfig,
  folder: RunFolder,
  options: TrainOptions,
  key: ReturnType<typeof readPrivateKey> | undefined,
): Promise<void> {
  const records = readMetrics(folder.metricsPath);
  const about = `${config.algorithm} on ${config.task ?? config.environment}, recipe ${config.recipe.name}`;
  try {
    const svg = await drawCurves(records, about);
    if (svg !== undefined) writeWhole(join(folder.path, 'curves.svg'), [Buffer.from(svg)]);
  } catch (error) {
    // The curves can be drawn elsewhere; the policies are what the hours were for.
    if (!(error instanceof EdgeError) || error.codeName !== 'figuresMissing') throw error;
    complain(`no curves.svg: ${error.message}; ${error.remedy}`);
  }
  const policies = await writePolicies(run, config, folder, {
    key,
    version: options.policyVersion,
    now: new Date(),
  });
  if (options.saveReplay !== undefined) {
    const { rows } = await exportDataset(replaySource(run, config), 'd4rl', options.saveReplay);
    complain(`${options.saveReplay}: ${rows} transitions of the simulator`);
  }
  const seeds = summarise(records);
  for (const { seed, meanReturn, survivalSeconds, of } of seeds) {
    const stood = survivalSeconds === undefined ? '' : `, stood ${survivalSeconds.toFixed(1)} s`;
    say(`seed ${seed}: return ${meanReturn.toFixed(0)}${stood} (mean of the last ${of} evaluations)`);
  }
  if (!key && config.environment === 'wheel-legged') {
    complain(`the policies are not signed: h2o-edge train --resume ${folder.path} --key FILE does that`);
  }
  if (options.json) sayJson({ ok: true, folder: folder.path, steps: config.steps, seeds, policies });
  else for (const path of policies) say(path);
}
