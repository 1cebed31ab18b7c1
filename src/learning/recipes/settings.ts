import type { ObservationSpec } from '../../policy/manifest.ts';
import { observationSize } from '../../policy/manifest.ts';
import type { ActorCriticSettings } from '../actor-critic.ts';
import type { Agent } from '../agent.ts';
import { type AlgorithmName, algorithms } from '../algorithms/algorithms.ts';
import type { DiscriminatorSettings, Moments } from '../dynamics-ratio.ts';
import type { NetworkSizes } from '../networks.ts';
import { changes, momentsOf, nextStateSigma } from '../statistics.ts';
import type { StepNeeds, TrainingStep } from '../training-step.ts';
import type { Recipe } from './recipe.ts';

/** Rows of the real data as the networks see them, one after the other: [N·dS], [N·dA], [N·dS]. */
export interface RealRows {
  readonly s: ArrayLike<number>;
  readonly a: ArrayLike<number>;
  readonly sNext: ArrayLike<number>;
}

/** Sizes of everything that learns by a recipe. */
export function networkSizes(recipe: Recipe, observation: ObservationSpec, action: number): NetworkSizes {
  return { observation: observationSize(observation), action, ...recipe.networks };
}

export interface PreparedStep {
  readonly inputs: StepNeeds;
  step(agent: Agent): TrainingStep;
}

/**
 * An algorithm with the settings of a recipe.
 * @param real needed by DARC, DARC+, H2O and H2O+ only: they standardise by it
 */
export function prepareStep(name: AlgorithmName, recipe: Recipe, sizes: NetworkSizes, real: RealRows): PreparedStep {
  const { training } = recipe;
  const common = (backupEntropy: boolean): ActorCriticSettings => ({
    discount: training.discount,
    tau: training.tau,
    targetEntropy: training.targetEntropy ?? -sizes.action,
    alphaMultiplier: training.alphaMultiplier,
    learnsAlpha: training.learnsAlpha,
    weightAverage: training.weightAverage,
    backupEntropy,
  });
  const one = { batch: training.batch };
  const half = { batch: Math.max(1, Math.round(training.batch / 2)) };
  const { importanceClip } = recipe.discriminators;

  switch (name) {
    case 'sac':
      return bind(algorithms.sac, { ...common(recipe.sac.backupEntropy), ...one }, sizes);
    case 'mix':
      return bind(algorithms.mix, { ...common(recipe.mix.backupEntropy), ...half }, sizes);
    case 'cql': {
      const { backupEntropy, clip, ...cql } = recipe.cql;
      return bind(algorithms.cql, { ...common(backupEntropy), ...one, ...cql, clip: clip ?? everything }, sizes);
    }
    case 'darc':
    case 'darc+': {
      const { backupEntropy, correctionClip } = recipe.darc;
      const settings = {
        ...common(backupEntropy),
        ...(name === 'darc' ? one : half),
        discriminators: discriminatorSettings(recipe, sizes, real),
        correctionClip: correctionClip ?? everything,
      };
      return bind(algorithms[name], settings, sizes);
    }
    case 'h2o': {
      const { backupEntropy, gap } = recipe.h2o;
      const { sigma: mode, sigmaRatio, clip, ...rest } = gap;
      const sigma = nextStateSigma(mode, { ...real, width: sizes.observation }).map((std) => std * sigmaRatio);
      const discriminators = discriminatorSettings(recipe, sizes, real);
      const settings = {
        ...common(backupEntropy),
        ...half,
        discriminators,
        importanceClip,
        gap: { ...rest, sigma, clip: clip ?? everything },
      };
      return bind(algorithms.h2o, settings, sizes);
    }
    case 'h2o+': {
      const { backupEntropy, ...rest } = recipe['h2o+'];
      const discriminators = discriminatorSettings(recipe, sizes, real);
      return bind(
        algorithms['h2o+'],
        { ...common(backupEntropy), ...half, discriminators, importanceClip, ...rest },
        sizes,
      );
    }
  }
}

const everything = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY] as const;

function discriminatorSettings({ discriminators }: Recipe, sizes: NetworkSizes, real: RealRows): DiscriminatorSettings {
  const { inputs, noise, batch } = discriminators;
  const scaling =
    inputs === 'raw'
      ? null
      : {
          s: divisible(momentsOf(real.s, sizes.observation)),
          a: divisible(momentsOf(real.a, sizes.action)),
          change: divisible(momentsOf(changes(real.s, real.sNext), sizes.observation)),
        };
  return { batch, noiseStd: noise, scaling };
}

/** A number that never varies in the data is not divided by its spread. */
const divisible = ({ mean, std }: Moments): Moments => ({ mean, std: std.map((each) => (each > 1e-9 ? each : 1)) });

interface Bindable<Settings> {
  inputs(settings: Settings, sizes: NetworkSizes): StepNeeds;
  step(agent: Agent, settings: Settings): TrainingStep;
}
const bind = <Settings>(algorithm: Bindable<Settings>, settings: Settings, sizes: NetworkSizes): PreparedStep => ({
  inputs: algorithm.inputs(settings, sizes),
  step: (agent) => algorithm.step(agent, settings),
});

/**
 * Learning rate of a step.
 * @param progress share of the run that is done, 0 to 1
 */
export function learningRateAt({ training: { learningRate, decay } }: Recipe, progress: number): number {
  if (!decay || progress <= decay.from) return learningRate;
  const along = Math.min(1, (progress - decay.from) / Math.max(1e-12, 1 - decay.from));
  return learningRate * (1 + along * (decay.to - 1));
}

/** The reward that the critic learns from. */
export const learnedReward = ({ reward }: Recipe, task: keyof Recipe['reward']['offset'], earned: number): number =>
  (earned - reward.offset[task]) * reward.scale;
