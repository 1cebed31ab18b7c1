import type { Environment } from '../simulation/environments/environment.ts';
import type { Controller } from './controller.ts';

export interface EvaluationOptions {
  /** one episode each; a number stands for 1 … n */
  readonly seeds: readonly number[] | number;
  /** the longest that a balancing robot is watched [s]; default 30. Others run for their episode */
  readonly seconds?: number;
  /** `rest` (default): upright and still; `spread`: as in training */
  readonly start?: 'rest' | 'spread';
}

/** One episode, by ground truth. */
export interface Run {
  readonly seed: number;
  /** of the first 1000 control periods */
  readonly return: number;
  /** balancing robots only, as all that follows */
  readonly survivalSeconds?: number;
  readonly maxAbsX?: number;
}

/** Results of all episodes, by ground truth. */
export interface Evaluation {
  readonly episodes: number;
  /** of the first 1000 control periods of each, not of decisions: policies of different rates compare */
  readonly meanReturn: number;
  /** until the robot fell, `seconds` if it did not; balancing robots only, as all that follows */
  readonly survivalSeconds?: { readonly mean: number; readonly min: number };
  /** largest distance of any episode from where the robot was to be: the start, moving on at the task's speed [m] */
  readonly maxAbsX?: number;
  /** after the first 2 s [m/s] */
  readonly rmsSpeedError?: number;
  /** [rad] */
  readonly rmsPitch?: number;
  /** commanded total of both wheels [N·m] */
  readonly rmsTorque?: number;
  readonly runs: readonly Run[];
}

/** Lets a controller act in an environment, one episode a seed. The environment is left in the last one. */
export function evaluate(environment: Environment, controller: Controller, options: EvaluationOptions): Evaluation {
  const { seconds = 30, start = 'rest' } = options;
  const seeds =
    typeof options.seeds === 'number' ? Array.from({ length: options.seeds }, (_, i) => i + 1) : options.seeds;
  const { balances, episodeSteps, stepSeconds } = environment;
  const decisions = balances ? Math.round(seconds / stepSeconds) : episodeSteps;
  const measured = seeds.map((seed) => {
    rollOut(environment, controller, { seed, start, decisions });
    const { returned, seconds: survived, maxAbsX, rmsSpeedError, rmsPitch, rmsTorque } = environment.tally;
    return { seed, return: returned, survived, maxAbsX, rmsSpeedError, rmsPitch, rmsTorque };
  });
  const mean = (of: (run: (typeof measured)[number]) => number) =>
    measured.reduce((sum, run) => sum + of(run), 0) / measured.length;
  const rms = (of: (run: (typeof measured)[number]) => number) => Math.sqrt(mean((run) => of(run) ** 2));
  const result = { episodes: measured.length, meanReturn: mean((run) => run.return) };
  if (!balances) return { ...result, runs: measured.map(({ seed, return: returned }) => ({ seed, return: returned })) };
  return {
    ...result,
    survivalSeconds: { mean: mean(({ survived }) => survived), min: Math.min(...measured.map((run) => run.survived)) },
    maxAbsX: Math.max(...measured.map((run) => run.maxAbsX)),
    rmsSpeedError: rms((run) => run.rmsSpeedError),
    rmsPitch: rms((run) => run.rmsPitch),
    rmsTorque: rms((run) => run.rmsTorque),
    runs: measured.map(({ seed, return: returned, survived, maxAbsX }) => ({
      seed,
      return: returned,
      survivalSeconds: survived,
      maxAbsX,
    })),
  };
}

export interface RollOut {
  readonly seed: number;
  readonly start: 'rest' | 'spread';
  /** at most; less where the robot falls */
  readonly decisions: number;
}

/** One episode; the environment's tally tells how it went. */
export function rollOut(environment: Environment, controller: Controller, { seed, start, decisions }: RollOut): void {
  const action = new Float32Array(environment.actionSize);
  controller.reset?.();
  let observation = environment.reset(seed, { start });
  for (let decision = 0; decision < decisions; decision++) {
    controller.act(observation, action);
    const step = environment.step(action);
    if (step.terminated) return;
    observation = step.truncated ? environment.resume() : step.observation;
  }
}
