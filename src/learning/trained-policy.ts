import { EdgeError } from '../errors.ts';
import type { ManifestDraft, ObservationSpec } from '../policy/manifest.ts';
import { goldenPairs } from '../policy/runtime.ts';
import type { Robot } from '../robot/robot.ts';
import type { Task } from '../robot/tasks/task.ts';
import type { AlgorithmName } from './algorithms/algorithms.ts';
import { dense, layouts, type NetworkSizes } from './networks.ts';
import type { Recipe } from './recipes/recipe.ts';
import { tf } from './tf.ts';
import { exportModel } from './tracing/export-model.ts';

/** Least and greatest raw value of a term in what the policy was trained on, with what is allowed beyond. */
export type TermRanges = Readonly<Partial<Record<'x' | 'v' | 'pitch' | 'pitchRate', readonly [number, number]>>>;

/**
 * What the networks see of the task's state, as manifest terms: training and robot build the vector from the same text with
 * the same `Observer`. A number that the recipe hides is no term at all.
 */
export function observationSpec({ observation }: Recipe, task: Task, ranges: TermRanges = {}): ObservationSpec {
  const hidden: readonly string[] = task.originResetsEachEpisode ? observation.hiddenWhenMoving : [];
  const names = (['x', 'v', 'pitch', 'pitchRate'] as const).filter((name) => !hidden.includes(name));
  return {
    terms: names.map((name) => {
      const [low, high] = ranges[name] ?? [];
      const range = low === undefined || high === undefined ? {} : { range: [low, high] as [number, number] };
      return { name, scale: observation.scale[name], offset: 0, clip: null, ...range };
    }),
    history: 1,
  };
}

/**
 * The policy without its noise, tanh(μ(s)), as ONNX: observation [batch, n] → action [batch, m].
 * @param parameters of one seed, in the layout of `policy`
 * @throws EdgeError `modelInvalid` when a parameter is not a finite number
 */
export function policyModel(sizes: NetworkSizes, parameters: Float32Array): Uint8Array {
  const layout = layouts(sizes).policy;
  if (parameters.length !== layout.size || !parameters.every(Number.isFinite)) {
    throw new EdgeError(
      'modelInvalid',
      `the policy's ${parameters.length} parameters are not ${layout.size} finite numbers`,
      'take an earlier checkpoint: training has failed since',
    );
  }
  const numbers = layout.read(parameters);
  const { hidden, action } = sizes;
  return tf.tidy(() => {
    const weights = layout.slices.map(({ name, shape }) => {
      const whole = tf.tensor(numbers[name] ?? [], [...shape]);
      // The last layer's right half is log σ.
      const isLast = name === `W${hidden.length}` || name === `b${hidden.length}`;
      return [
        name,
        isLast
          ? tf.slice(
              whole,
              shape.map(() => 0),
              [...shape.slice(0, -1), action],
            )
          : whole,
      ] as const;
    });
    const mean = Object.fromEntries(weights);
    return exportModel((observation) => tf.tanh(dense(observation, mean)), sizes);
  });
}

export interface TrainedPolicy {
  readonly recipe: Recipe;
  readonly algorithm: AlgorithmName;
  readonly task: Task;
  readonly robot: Robot;
  readonly sizes: NetworkSizes;
  readonly observation: ObservationSpec;
  /** of one seed: the moving average where the recipe keeps one, else the policy's own */
  readonly parameters: Float32Array;
  /** observations as the network sees them, for the golden pairs; at least four */
  readonly probes: readonly (readonly number[])[];
  readonly id: string;
  readonly version: number;
  readonly description: string;
  readonly training: {
    readonly data: string | null;
    readonly seed: number;
    readonly steps: number;
    readonly revision: string | null;
    readonly engine: string;
  };
  /** ISO 8601 */
  readonly created: string;
  readonly expires: string;
}

/**
 * A trained policy as a bundle before its signature. The manifest holds the whole recipe, the rate that it decides at and
 * the terms that it sees, so that the robot runs what was trained.
 */
export async function trainedPolicy(trained: TrainedPolicy): Promise<{ draft: ManifestDraft; model: Uint8Array }> {
  const { recipe, robot, sizes, observation, training } = trained;
  const model = policyModel(sizes, trained.parameters);
  const draft: ManifestDraft = {
    format: 1,
    id: trained.id,
    version: trained.version,
    task: trained.task.name,
    robot: robot.name,
    description: trained.description,
    algorithm: trained.algorithm,
    rate: recipe.decisionRate,
    observation: { terms: [...observation.terms], history: observation.history },
    action: { terms: [{ name: 'wheelTorque', scale: robot.policy.torqueScale }] },
    training: { ...training, recipe },
    created: trained.created,
    expires: trained.expires,
    golden: { tolerance: 1e-5, pairs: await goldenPairs(model, sizes.action, trained.probes) },
  };
  return { draft, model };
}
