import { resolve } from 'node:path';
import { parse } from 'yaml';
import type { Transitions } from '../../dataset/transitions.ts';
import { EdgeError } from '../../errors.ts';
import { type AlgorithmName, algorithmNames } from '../../learning/algorithms/algorithms.ts';
import { engineNames } from '../../learning/engines.ts';
import { type Recipe, recipeSchema } from '../../learning/recipes/recipe.ts';
import { adjustRecipe, asPublished, recipeByName } from '../../learning/recipes/recipes.ts';
import { rowsOf } from '../../learning/training/prepare-run.ts';
import { readRealData } from '../../learning/training/real-data.ts';
import { type RunConfig, runConfigSchema } from '../../learning/training/run-config.ts';
import { robotTask } from '../../learning/training/worlds.ts';
import { readYamlData } from '../../learning/training/yaml-data.ts';
import { taskByName } from '../../robot/tasks/tasks.ts';
import { revision } from '../context.ts';
import type { TrainOptions } from '../train.ts';

export interface Plan {
  readonly config: RunConfig;
  readonly transitions: Transitions | undefined;
  readonly warnings: readonly string[];
}

/** Numbers of an observation and of an action of what is trained in. */
const SIZES = {
  'wheel-legged': { observationSize: 4, actionSize: 1 },
  'half-cheetah': { observationSize: 17, actionSize: 6 },
};

/**
 * The configuration of a new run from what the command line says, and the data that it names.
 * @throws EdgeError naming the option and what it takes
 */
export async function planRun(options: TrainOptions): Promise<Plan> {
  const environment = options.environment === 'wheel-legged' ? 'wheel-legged' : 'half-cheetah';
  if (environment === 'half-cheetah' && options.task !== undefined) {
    throw new EdgeError('usage', `HalfCheetah has no task "${options.task}"`, 'leave --task out');
  }
  if (environment === 'wheel-legged' && options.task === undefined) {
    throw new EdgeError('usage', 'no task is named', 'add --task standing-still or --task moving-straight');
  }
  const task = options.task === undefined ? null : taskByName(options.task).name;
  const algorithm = algorithmOf(options.algorithm);
  if (!engineNames.some((name) => name === options.engine)) {
    throw new EdgeError('usage', `there is no engine "${options.engine}"`, `choose one of: ${engineNames.join(', ')}`);
  }
  const recipe = recipeOf(options, environment);
  const subject = { environment, task, robot: options.robot, recipe } as const;
  robotTask(subject);

  const needs = rowsOf({ algorithm, recipe });
  const warnings: string[] = [];
  let transitions: Transitions | undefined;
  let dataset: RunConfig['dataset'] = null;
  if (needs.real > 0) {
    if (options.dataset === undefined) {
      throw new EdgeError(
        'trainingInvalid',
        `${algorithm} learns from real data, and none are named`,
        'add --dataset PATH, or train with sac, which needs a simulator only',
      );
    }
    const path = resolve(options.dataset);
    const data = await readRealData({
      path,
      task,
      robot: options.robot,
      decisionRate: recipe.decisionRate,
      ...SIZES[environment],
      leastRows: needs.real,
    });
    transitions = data.transitions;
    dataset = { path, rows: transitions.count, sha256: data.sha256 };
    warnings.push(...data.warnings);
  } else if (options.dataset !== undefined) {
    warnings.push(`${algorithm} uses no real data: --dataset is not read`);
  }
  if (needs.sim === 0 && options.gap !== undefined && options.twinGap === undefined) {
    warnings.push(`${algorithm} learns from the data alone: --gap only changes the simulator that it is evaluated in`);
  }

  const steps = options.steps ?? recipe.training.steps;
  const parsed = runConfigSchema.safeParse({
    format: 1,
    environment,
    task,
    robot: options.robot,
    algorithm,
    dataset,
    gaps: withoutNone(options.gap ?? []),
    steps,
    seed: options.seed,
    seeds: options.seeds,
    engine: options.engine,
    evaluation: {
      every: options.evaluateEvery ?? Math.max(1, Math.ceil(steps / 12)),
      episodes: options.evaluationEpisodes,
      seconds: options.evaluationSeconds,
      twinGaps: options.twinGap === undefined ? null : withoutNone(options.twinGap),
    },
    metricsEvery: options.metricsEvery ?? Math.max(1, Math.ceil(steps / 100)),
    checkpointEvery: options.checkpointEvery ?? Math.max(1, Math.ceil(steps / 10)),
    recipe,
    revision,
  } satisfies RunConfig);
  if (parsed.success) return { config: parsed.data, transitions, warnings };
  const [issue] = parsed.error.issues;
  throw new EdgeError('usage', `${issue?.path.join('.')}: ${issue?.message}`, 'see h2o-edge train --help');
}

function algorithmOf(given: string | undefined): AlgorithmName {
  const found = algorithmNames.find((name) => name === given);
  if (found) return found;
  throw new EdgeError(
    'usage',
    given === undefined ? 'no algorithm is named' : `there is no algorithm "${given}"`,
    `use --algorithm with one of: ${algorithmNames.join(', ')}, linear`,
  );
}

export function recipeOf(
  { recipe: name, set = [], asPublished: published }: TrainOptions,
  environment: string,
): Recipe {
  const isFile = name.includes('/') || /\.ya?ml$/.test(name);
  const named = environment === 'half-cheetah' && (name === 'paper' || name === 'edge') ? 'paper-halfcheetah' : name;
  const recipe = isFile ? readYamlData(name, recipeSchema, 'configInvalid') : recipeByName(named);
  return adjustRecipe(published ? asPublished(recipe) : recipe, changesOf(set));
}

/** `training.batch=64 h2o.gap.weight=1` as `{ training: { batch: 64 }, h2o: { gap: { weight: 1 } } }`. */
function changesOf(set: readonly string[]): Record<string, unknown> {
  const changes: Record<string, unknown> = {};
  for (const text of set) {
    const at = text.indexOf('=');
    if (at < 1) throw new EdgeError('usage', `"${text}" is not knob=value`, 'for example: --set training.batch=64');
    const path = text.slice(0, at).split('.');
    const last = path.pop() ?? '';
    let inside = changes;
    for (const key of path) {
      const next = inside[key];
      inside[key] = typeof next === 'object' && next !== null ? next : {};
      inside = inside[key] as Record<string, unknown>;
    }
    inside[last] = parse(text.slice(at + 1));
  }
  return changes;
}

export const withoutNone = (gaps: readonly string[]): string[] => gaps.filter((name) => name !== 'none');

/**
 * The data of a run that goes on.
 * @throws EdgeError `trainingInvalid` when they are not those that it began with
 */
export async function dataOf(config: RunConfig): Promise<Transitions | undefined> {
  const { dataset, task, robot, recipe } = config;
  if (!dataset) return undefined;
  const { transitions, sha256 } = await readRealData({
    path: dataset.path,
    task,
    robot,
    decisionRate: recipe.decisionRate,
    ...SIZES[config.environment],
    leastRows: rowsOf(config).real,
  });
  if (sha256 === dataset.sha256) return transitions;
  throw new EdgeError(
    'trainingInvalid',
    `${dataset.path} is not what the run began with: ${dataset.rows} rows then, ${transitions.count} now`,
    'put the data back, or begin a new run',
  );
}
