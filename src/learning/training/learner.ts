import { EdgeError } from '../../errors.ts';
import type { Agent } from '../agent.ts';
import type { NamedData, Runner } from '../runner.ts';
import type { Tensors, TrainingStep } from '../training-step.ts';
import type { StepFeed } from './step-feed.ts';

/** The output of a step that holds the policy's parameters after it, for whoever acts by them. */
const POLICY = 'policyAfter';

/** A step that also returns the policy's new parameters: no engine then has to hand out its whole state. */
export const withPolicy =
  (agent: Agent, step: TrainingStep): TrainingStep =>
  (inputs) => {
    const metrics: Tensors = step(inputs);
    return { ...metrics, [POLICY]: agent.policy.parameters.clone() };
  };

export interface StepResult {
  /** one number a seed by the names of the metrics */
  readonly metrics: Readonly<Record<string, ArrayLike<number>>>;
  /** [K · size] */
  readonly policy: Float32Array;
}

/** The gradient steps of all seeds: a runner, what it is fed, and what comes of it looked at. */
export class Learner {
  readonly runner: Runner;
  readonly feed: StepFeed;
  readonly #seeds: readonly number[];

  constructor(options: { readonly runner: Runner; readonly feed: StepFeed; readonly seeds: readonly number[] }) {
    this.runner = options.runner;
    this.feed = options.feed;
    this.#seeds = options.seeds;
  }

  /**
   * One gradient step on what the feed holds.
   * @param step number of the step, from 1
   * @throws EdgeError `trainingDiverged` naming the first metric that is no finite number
   */
  async step(step: number, learningRate: number): Promise<StepResult> {
    this.feed.pace(step, learningRate);
    const { [POLICY]: policy, ...metrics } = await this.runner.run(this.feed.arrays);
    for (const [name, values] of Object.entries(metrics)) {
      for (let index = 0; index < values.length; index++) {
        if (!Number.isFinite(values[index])) throw this.#diverged(name, values[index], index, step);
      }
    }
    return { metrics, policy: policy as Float32Array };
  }

  /**
   * All variables.
   * @throws EdgeError `trainingDiverged` when one holds what is no finite number: that must not be kept
   */
  async state(step: number): Promise<NamedData> {
    const state = await this.runner.getState();
    for (const [name, values] of Object.entries(state)) {
      const index = values.findIndex((value) => !Number.isFinite(value));
      if (index < 0) continue;
      const seed = Math.floor((index * this.#seeds.length) / values.length);
      throw this.#diverged(name, values[index], seed, step);
    }
    return state;
  }

  #diverged(name: string, value: number | undefined, seed: number, step: number): EdgeError {
    return new EdgeError(
      'trainingDiverged',
      `"${name}" of seed ${this.#seeds[seed]} is ${value} in step ${step}`,
      'lower training.learningRate, or look for values far outside in the data; the last good checkpoint stays',
    );
  }
}
