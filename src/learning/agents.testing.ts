import { Random } from '../random.ts';
import type { ActorCriticSettings } from './actor-critic.ts';
import { Agent } from './agent.ts';
import type { AlgorithmName } from './algorithms/algorithms.ts';
import { algorithms } from './algorithms/algorithms.ts';
import type { NetworkSizes } from './networks.ts';
import { inputShapes, type StepNeeds, type TrainingStep } from './training-step.ts';

/** Small enough for the eager backend. */
export const smallSizes: NetworkSizes = { observation: 3, action: 2, hidden: [8, 8], discriminatorHidden: [8, 8] };

const common: ActorCriticSettings & { readonly batch: number } = {
  batch: 6,
  discount: 0.99,
  tau: 0.1,
  targetEntropy: -2,
  alphaMultiplier: 1,
  learnsAlpha: true,
  backupEntropy: true,
  weightAverage: 0.9,
  diagnostics: true,
};
const discriminators = { batch: 8, noiseStd: 0.1, scaling: null } as const;

/** Settings of every algorithm, for tests. */
export const testSettings = {
  sac: common,
  mix: common,
  cql: {
    ...common,
    actions: 4,
    conservatism: 2,
    temperature: 1,
    clip: [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
  },
  darc: { ...common, discriminators, correctionClip: [-10, 10] },
  'darc+': { ...common, discriminators, correctionClip: [-10, 10] },
  h2o: {
    ...common,
    discriminators,
    importanceClip: [1e-5, 1],
    gap: {
      weight: 0.5,
      samples: 4,
      sigma: [0.1, 0.2, 0.3],
      temperature: 1,
      clip: [-1000, 1000],
      ceiling: 10,
      gate: 'masked',
      form: 'softmax',
      adaptive: true,
    },
  },
  'h2o+': { ...common, discriminators, importanceClip: [1e-5, 1], quantile: 0.9, exploit: 0.3 },
} as const satisfies { [Name in AlgorithmName]: Parameters<(typeof algorithms)[Name]['step']>[1] };

/** An agent whose seeds begin as those of single agents of these numbers. */
export function testAgent(name: string, seeds: readonly number[], sizes = smallSizes): Agent {
  return new Agent({
    sizes,
    name: `${name}/`,
    random: seeds.map((seed) => {
      const random = new Random(seed);
      return () => random.uniform();
    }),
  });
}

interface AnyAlgorithm {
  inputs(settings: unknown, sizes: NetworkSizes): StepNeeds;
  step(agent: Agent, settings: unknown): TrainingStep;
}

/** An algorithm with its test settings, or these in their place. */
export function testStep(name: AlgorithmName, agent: Agent, settings: object = testSettings[name]) {
  const algorithm = algorithms[name] as AnyAlgorithm;
  const inputs = algorithm.inputs(settings, agent.sizes);
  return { step: algorithm.step(agent, settings), shapes: inputShapes(inputs, agent.sizes, agent.seeds) };
}

/** Random numbers for every input; rewards of some size, a few ends of episodes. */
export function testInputs(
  shapes: Readonly<Record<string, readonly number[]>>,
  seed: number,
  stepNumber = 1,
): Record<string, Float32Array> {
  const random = new Random(seed);
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
      return [name, values.map(() => draw(name, random, stepNumber))];
    }),
  );
}

function draw(name: string, random: Random, stepNumber: number): number {
  if (name === 'lr') return 1e-3;
  if (name === 'step') return stepNumber;
  if (name.endsWith('/done')) return random.uniform() < 0.2 ? 1 : 0;
  if (name.endsWith('/a') || name === 'cqlRandomActions') return 2 * random.uniform() - 1;
  return random.gaussian();
}
