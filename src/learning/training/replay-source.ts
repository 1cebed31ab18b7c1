import type { TransitionSource } from '../../dataset/source.ts';
import { EdgeError } from '../../errors.ts';
import type { PreparedRun } from './prepare-run.ts';
import { type RunConfig, seedsOf } from './run-config.ts';

/**
 * What the simulators of a run gave and its rings still hold, seed after seed, as a dataset: what D4RL calls "medium-replay"
 * is this of a run that was stopped halfway.
 * @throws EdgeError `trainingInvalid` when the algorithm uses no simulator
 */
export function replaySource({ worlds, environment }: PreparedRun, config: RunConfig): TransitionSource {
  const [first] = worlds;
  if (!first) {
    throw new EdgeError(
      'trainingInvalid',
      `${config.algorithm} uses no simulator: there is no replay`,
      'leave --save-replay out',
    );
  }
  const seeds = seedsOf(config);
  const provenance = {
    source: 'simulator',
    environment: environment.name,
    ...(config.task && {
      task: config.task,
      observationNames: ['x', 'v', 'pitch', 'pitch_rate'],
      actionNames: ['wheel_torque'],
    }),
    rate: config.recipe.decisionRate,
    gaps: config.gaps,
    algorithm: config.algorithm,
    recipe: config.recipe.name,
    steps: config.steps,
    seeds,
  };
  const { observationSize, actionSize } = first.ring;
  return {
    path: 'the replay',
    format: 'd4rl',
    shape: { observationSize, actionSize, marked: false },
    rowsAtMost: worlds.reduce((sum, { ring }) => sum + ring.rows, 0),
    provenance,
    warnings: [],
    async *batches() {
      for (const { ring } of worlds) if (ring.rows > 0) yield ring.transitions(provenance);
    },
  };
}
