import type { Transitions } from '../../dataset/transitions.ts';
import { EdgeError } from '../../errors.ts';
import { Random } from '../../random.ts';
import type { Environment } from '../../simulation/environments/environment.ts';
import { Agent } from '../agent.ts';
import { openEngine } from '../engines.ts';
import { evaluate } from '../evaluation.ts';
import type { NetworkSizes } from '../networks.ts';
import { prepareStep, type RealRows } from '../recipes/settings.ts';
import { stepProgram } from '../training-step.ts';
import { Learner, withPolicy } from './learner.ts';
import { type RunConfig, seedsOf } from './run-config.ts';
import { SeedWorld } from './seed-world.ts';
import { StepFeed } from './step-feed.ts';
import { type MetricsRecord, Training } from './training.ts';
import { TransitionMemory } from './transition-memory.ts';
import { View } from './view.ts';
import { createWorld, viewSettings } from './worlds.ts';

export interface PreparedRun {
  readonly training: Training;
  readonly sizes: NetworkSizes;
  readonly view: View;
  readonly worlds: readonly SeedWorld[];
  readonly real: TransitionMemory | undefined;
  /** where policies are evaluated */
  readonly environment: Environment;
  dispose(): Promise<void>;
}

export interface PrepareOptions {
  /** what the config's dataset holds */
  readonly transitions: Transitions | undefined;
  readonly onRecord: (record: MetricsRecord) => void;
  readonly onStep?: (step: number) => void;
  /** whether the steps run in this thread; default false */
  readonly inThisThread?: boolean;
}

/** The first evaluation's seed; another for each episode, the same for all policies. */
const EVALUATION_SEED = 1_000_001;

/** Which kinds of rows an algorithm learns from. */
export function rowsOf({ algorithm, recipe }: Pick<RunConfig, 'algorithm' | 'recipe'>) {
  const sizes = { observation: 1, action: 1, ...recipe.networks };
  const { inputs } = prepareStep(algorithm, recipe, sizes, { s: [], a: [], sNext: [] });
  const batches = Object.values(inputs.batches);
  const most = (from: 'real' | 'sim') =>
    Math.max(0, ...batches.filter((one) => one.from === from).map(({ rows }) => rows));
  return { real: most('real'), sim: most('sim') };
}

/**
 * Everything that a run needs, from its configuration; nothing is written here.
 * @throws EdgeError `trainingInvalid`, and what environments and engines throw
 */
export async function prepareRun(config: RunConfig, options: PrepareOptions): Promise<PreparedRun> {
  const { recipe, algorithm, steps } = config;
  const seeds = seedsOf(config);
  const { transitions } = options;
  const needs = rowsOf(config);
  if (needs.real > 0 && !transitions) {
    throw new EdgeError(
      'trainingInvalid',
      `${algorithm} learns from real data, and none are named`,
      'add --dataset PATH',
    );
  }
  const environments: Environment[] = [];
  const world = async (where: Parameters<typeof createWorld>[1]): Promise<Environment> => {
    const created = await createWorld(config, where);
    environments.push(created);
    return created;
  };
  try {
    const { twinGaps, episodes, seconds } = config.evaluation;
    const environment = await world(
      twinGaps ? { gaps: twinGaps, dynamics: 'twin' } : { gaps: config.gaps, dynamics: 'simulator' },
    );
    const view = new View(environment.observationNames, viewSettings(config, environment.observationNames));
    const sizes: NetworkSizes = { observation: view.size, action: environment.actionSize, ...recipe.networks };
    const prepared = prepareStep(algorithm, recipe, sizes, seenRows(view, transitions));

    // Longer than it can become, the ring would only take memory.
    const capacity = Math.min(recipe.training.simRows, recipe.training.warmUp + recipe.training.round + steps);
    const worlds: SeedWorld[] = [];
    for (const seed of needs.sim > 0 ? seeds : []) {
      const own = await world({ gaps: config.gaps, dynamics: 'simulator' });
      worlds.push(new SeedWorld({ environment: own, view, seed, capacity }));
    }
    const real = needs.real > 0 && transitions ? TransitionMemory.of(transitions) : undefined;

    const agent = new Agent({
      sizes,
      random: seeds.map((seed) => {
        const random = new Random(seed);
        return () => random.uniform();
      }),
    });
    const feed = new StepFeed(prepared.inputs, sizes, seeds.length);
    const runner = await openEngine(
      config.engine,
      stepProgram(agent, withPolicy(agent, prepared.step(agent)), prepared.inputs),
      // The floor of u is a number of that kind, on purpose.
      { inThisThread: options.inThisThread ?? false, flushDenormals: recipe.h2o.gap.gate !== 'floor' },
    ).catch((error: unknown) => {
      agent.dispose();
      throw error;
    });
    const evaluated = recipe.training.weightAverage > 0 ? agent.averagePolicy : agent.policy;
    const training = new Training({
      recipe,
      seeds,
      steps,
      learner: new Learner({ runner, feed, seeds }),
      variables: { policy: agent.policy.parameters.name, evaluated: evaluated.parameters.name },
      policyLayout: agent.policy.layout,
      actionSize: sizes.action,
      view,
      worlds,
      real,
      evaluate: (controller) =>
        evaluate(environment, controller, {
          seeds: Array.from({ length: episodes }, (_, index) => EVALUATION_SEED + index),
          seconds,
          // Without noise every start at rest would be the same episode.
          start: twinGaps ? 'rest' : 'spread',
        }),
      every: { metrics: config.metricsEvery, evaluation: config.evaluation.every },
      onRecord: options.onRecord,
      ...(options.onStep && { onStep: options.onStep }),
    });
    return {
      training,
      sizes,
      view,
      worlds,
      real,
      environment,
      dispose: async () => {
        await runner.dispose();
        agent.dispose();
        for (const one of environments) one.delete();
      },
    };
  } catch (error) {
    for (const one of environments) one.delete();
    throw error;
  }
}

/** The data as the networks see them, by which the discriminators standardise. */
function seenRows(view: View, transitions: Transitions | undefined): RealRows {
  if (!transitions) return { s: [], a: [], sNext: [] };
  const { observations, actions, nextObservations, observationSize } = transitions;
  return {
    s: view.seeAll(observations, observationSize),
    a: actions,
    sNext: view.seeAll(nextObservations, observationSize),
  };
}
