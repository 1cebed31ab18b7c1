import { EdgeError } from '../../errors.ts';
import { type Recipe, recipeSchema } from './recipe.ts';

const unbounded = null;

/**
 * The authors' settings for the wheel-legged robot (scripts of t6-thu/H2Oplus, hyper-parameters of t6-thu/H2O): 200 Hz, raw
 * inputs. What their code does by accident is not in it: see `asPublished`.
 */
const paper: Recipe = {
  name: 'paper',
  decisionRate: 200,
  observation: { scale: { x: 1, v: 1, pitch: 1, pitchRate: 1 }, hiddenWhenMoving: [] },
  reward: { scale: 1, offset: { 'standing-still': 0, 'moving-straight': 0 } },
  networks: { hidden: [32, 32], discriminatorHidden: [256, 256] },
  training: {
    steps: 1_000_000,
    round: 1000,
    warmUp: 0,
    batch: 32,
    simRows: 1_000_000,
    learningRate: 3e-4,
    decay: null,
    discount: 0.99,
    tau: 0.005,
    targetEntropy: null,
    alphaMultiplier: 1,
    learnsAlpha: true,
    weightAverage: 0,
  },
  discriminators: { inputs: 'raw', noise: 0.1, batch: 32, importanceClip: [1e-5, 1] },
  sac: { backupEntropy: true },
  cql: { backupEntropy: false, actions: 10, conservatism: 2, temperature: 1, clip: unbounded },
  darc: { backupEntropy: true, correctionClip: [-10, 10] },
  h2o: {
    backupEntropy: false,
    gap: {
      weight: 0.01,
      samples: 10,
      sigma: 'state',
      sigmaRatio: 1,
      temperature: 1,
      clip: [-1000, 1000],
      ceiling: 10,
      gate: 'masked',
      form: 'softmax',
      adaptive: true,
    },
  },
  'h2o+': { backupEntropy: true, quantile: 0.9, exploit: 0.1 },
  mix: { backupEntropy: true },
};

/**
 * The authors' settings for HalfCheetah: wider networks and batches, κ and c of H2O+ at their defaults. Scales of the robot's
 * observation and offsets of its tasks do nothing there.
 */
const paperHalfCheetah: Recipe = {
  ...paper,
  name: 'paper-halfcheetah',
  decisionRate: 20,
  networks: { hidden: [256, 256], discriminatorHidden: [256, 256] },
  training: { ...paper.training, batch: 256 },
  discriminators: { ...paper.discriminators, batch: 256 },
  'h2o+': { ...paper['h2o+'], quantile: 0.5, exploit: 0.5 },
};

/**
 * What was found to learn on the wheel-legged robot, and to stay good, in a study with a planar simulator of it; the effect
 * of each knob is told in the schema.
 */
const edge: Recipe = {
  ...paper,
  name: 'edge',
  decisionRate: 50,
  observation: { scale: { x: 5, v: 5, pitch: 20, pitchRate: 2 }, hiddenWhenMoving: ['x'] },
  reward: { scale: 1, offset: { 'standing-still': 20, 'moving-straight': 5 } },
  networks: { hidden: [32, 32], discriminatorHidden: [32, 32] },
  training: {
    ...paper.training,
    steps: 150_000,
    round: 1,
    warmUp: 1000,
    simRows: 50_000,
    learningRate: 1e-3,
    decay: { from: 0.5, to: 0.02 },
    tau: 0.01,
    weightAverage: 0.999,
  },
  discriminators: { ...paper.discriminators, inputs: 'standardised' },
  cql: { ...paper.cql, actions: 4, conservatism: 5 },
  h2o: { ...paper.h2o, gap: { ...paper.h2o.gap, sigma: 'change' } },
};

export const recipes = { edge, paper, 'paper-halfcheetah': paperHalfCheetah } as const;
export type RecipeName = keyof typeof recipes;
export const recipeNames = Object.keys(recipes) as readonly RecipeName[];

/**
 * The same recipe with what the authors' code of H2O does by accident: σ over a buffer that is mostly zeros, the floor of u,
 * and, since that σ belongs to them, raw inputs of the discriminators.
 */
export function asPublished(recipe: Recipe): Recipe {
  const gap = { ...recipe.h2o.gap, sigma: 'published', gate: 'floor' } as const;
  return {
    ...recipe,
    name: `${recipe.name}-as-published`,
    discriminators: { ...recipe.discriminators, inputs: 'raw' },
    h2o: { ...recipe.h2o, gap },
  };
}

/** The recipe of that name. @throws EdgeError `usage` */
export function recipeByName(name: string): Recipe {
  const known = recipeNames.find((candidate) => candidate === name);
  if (known) return recipes[known];
  throw new EdgeError('usage', `there is no recipe "${name}"`, `use one of: ${recipeNames.join(', ')}`);
}

/**
 * A recipe with some knobs set otherwise.
 * @param changes nested as the recipe is, such as `{ training: { batch: 64 } }`; lists are replaced as a whole
 * @throws EdgeError `configInvalid` naming the first knob that does not exist or does not take its value
 */
export function adjustRecipe(recipe: Recipe, changes: unknown): Recipe {
  const parsed = recipeSchema.safeParse(merged(recipe, changes));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const at = issue?.path.join('.') ?? '';
  if (issue?.code === 'unrecognized_keys') {
    const [unknown = ''] = issue.keys;
    const there = issue.path.reduce<unknown>(
      (inside, key) => (isObject(inside) ? inside[String(key)] : inside),
      recipe,
    );
    const knobs = isObject(there) ? Object.keys(there).join(', ') : '';
    throw new EdgeError(
      'configInvalid',
      `the recipe has no knob "${at && `${at}.`}${unknown}"`,
      `there ${at && `in ${at} `}are: ${knobs}`,
    );
  }
  const value = issue?.path.reduce<unknown>(
    (inside, key) => (isObject(inside) ? inside[String(key)] : inside),
    changes,
  );
  throw new EdgeError(
    'configInvalid',
    `the knob "${at}" does not take ${JSON.stringify(value)}: ${issue?.message}`,
    'docs/recipes.md says what each knob takes',
  );
}

function merged(base: unknown, changes: unknown): unknown {
  if (!isObject(base) || !isObject(changes)) return changes;
  const keys = new Set([...Object.keys(base), ...Object.keys(changes)]);
  return Object.fromEntries(
    [...keys].map((key) => [key, Object.hasOwn(changes, key) ? merged(base[key], changes[key]) : base[key]]),
  );
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
