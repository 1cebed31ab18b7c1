import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { algorithmNames } from '../learning/algorithms/algorithms.ts';
import { configSchema } from '../messages/config.ts';
import { policyIdSchema } from '../messages/policy-stages.ts';
import type { TaskName } from '../robot/tasks/task.ts';
import { taskNames } from '../robot/tasks/tasks.ts';
import { readYamlFile } from '../yaml-file.ts';

const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, { error: 'lower case letters, digits and "-", at most 32' });
const gaps = (says: string) =>
  z.array(z.string().min(1)).default([]).describe(`${says} Gaps that ship, or files; several compose.`);

/** Numbers of an evaluation that the gate can look at, and whether more of it is better. */
export const SCORES = {
  meanReturn: 'more',
  survivalMean: 'more',
  survivalMin: 'more',
  maxAbsX: 'less',
  rmsSpeedError: 'less',
  rmsPitch: 'less',
  rmsTorque: 'less',
} as const satisfies Record<string, 'more' | 'less'>;
export type ScoreName = keyof typeof SCORES;
const scoreName = z.enum(Object.keys(SCORES) as [ScoreName]);

const bounds = (says: string) => z.partialRecord(scoreName, z.number()).default({}).describe(says);

const evaluationSchema = z.strictObject({
  dynamics: z
    .enum(['twin', 'simulator'])
    .default('twin')
    .describe('The twin with its imperfections, or the ideal simulator that training believes in.'),
  gaps: gaps('How the robot that is simulated differs from the robot file.'),
  seeds: z.int().min(1).max(1000).default(10).describe('Episodes, one a seed.'),
  seconds: z.number().positive().max(600).default(30).describe('The longest that the robot is watched in each [s].'),
  atLeast: bounds(
    `What the policy must reach, whatever was before it: ${Object.keys(SCORES).join(', ')}, as in \`evaluate --json\`; survivalMean and survivalMin in s, maxAbsX in m.`,
  ),
  atMost: bounds('What it must not exceed.'),
});
export type GateEvaluation = z.output<typeof evaluationSchema>;

/** Where nothing is said, a policy has to stay up on the twin. */
const DEFAULT_EVALUATION = { dynamics: 'twin', atLeast: { survivalMean: 25 } } as const;

const gateSchema = z
  .strictObject({
    evaluations: z
      .array(evaluationSchema)
      .min(1)
      .max(16)
      .prefault([DEFAULT_EVALUATION])
      .describe('Simulated robots on which a new policy has to show itself; it must pass on each.'),
    notWorseIn: z
      .array(scoreName)
      .default(['meanReturn', 'survivalMean'])
      .describe('What is compared with the policy before it, on the same seeds. Empty: nothing is.'),
    tolerance: z
      .number()
      .min(0)
      .max(1)
      .default(0.02)
      .describe('By which share of the policy before it a number may be worse.'),
    baseline: z
      .string()
      .default('')
      .describe(
        'Folder of a policy, or `balancer` or `linear`, to compare the first one with. Empty: the first one is held to the bounds alone.',
      ),
  })
  .prefault({});
export type Gate = z.output<typeof gateSchema>;

const count = (most: number) => z.int().min(1).max(most);

export const taskSettingsSchema = z.strictObject({
  algorithm: z
    .enum(algorithmNames as [(typeof algorithmNames)[number]])
    .default('h2o')
    .describe('How it is learnt.'),
  policy: z
    .union([z.literal(''), policyIdSchema])
    .default('')
    .describe('Name of the policy, which mode commands name as controller. Empty: `{task}-{algorithm}`.'),
  recipe: z.string().min(1).default('edge').describe('`edge`, `paper`, or a YAML file; see docs/recipes.md.'),
  set: z.array(z.string()).default([]).describe('Changes to knobs of the recipe, such as `training.batch=64`.'),
  gaps: gaps('How the simulator that is learnt in differs from the robot file.'),
  steps: count(1_000_000_000).optional().describe("Gradient steps. Left out: the recipe's."),
  checkpointEvery: count(1_000_000_000)
    .optional()
    .describe(
      'Gradient steps between checkpoints, from which training goes on after a crash. Left out: a tenth of the run.',
    ),
  seed: z.int().min(0).max(1_000_000).default(1).describe('Of the first job; every job has another.'),
  seeds: z
    .int()
    .min(1)
    .max(16)
    .default(1)
    .describe('So many are trained at once; the one with the best last evaluations goes to the gate.'),
  minRows: z.int().min(0).default(10_000).describe('Rows below which the task is not trained, not even by order.'),
  newRows: z
    .int()
    .min(0)
    .default(10_000)
    .describe('So many rows more than at the last job start the next one. 0: only orders do.'),
  leastVersion: count(2 ** 31)
    .default(1)
    .describe('Versions of the policy begin here: above those that robots have from elsewhere.'),
  gate: gateSchema.describe('What a policy has to show before robots are offered it.'),
});
export type TaskSettings = z.output<typeof taskSettingsSchema>;

const limitsSchema = z
  .strictObject({
    kilobytesPerSecond: z
      .number()
      .min(1)
      .max(1_000_000)
      .default(1000)
      .describe('Policies are sent to all robots together no faster than this [kB/s].'),
    leaveFreeMegabytes: z
      .number()
      .min(0)
      .max(100_000_000)
      .default(500)
      .describe('Space on the disk below which nothing new is begun [MB].'),
    keepRuns: z
      .int()
      .min(0)
      .max(100_000)
      .default(10)
      .describe(
        'Finished jobs whose run folder (checkpoints, metrics) is kept; records of all jobs and all policies are.',
      ),
    retries: z
      .int()
      .min(0)
      .max(100)
      .default(3)
      .describe(
        'Jobs in a row that a task is given after one that failed, with other seeds, before it waits for new rows or an order.',
      ),
  })
  .prefault({});

/** Configuration of one trainer. */
export const trainerConfigSchema = z.strictObject({
  id: name
    .default('trainer-1')
    .describe('Name of this trainer, another one for each: its topics are `h2o/v1/trainer/{id}/…`.'),
  directory: z.string().min(1).default('trainer').describe('Where segments, jobs and policies are kept.'),
  broker: configSchema.shape.broker.describe('The broker that the robots are at.'),
  releaseKey: z
    .string()
    .min(1)
    .describe(
      'Private key that signs policies, a file that its owner alone may read (mode 0600); `h2o-edge keys generate` makes one, and robots have to trust it with the role `release`.',
    ),
  robot: z
    .string()
    .default('wheel-legged')
    .describe('The robot in numbers: a model that ships, or the path of a robot file.'),
  robots: z.array(name).default([]).describe('Robots whose data are taken and that may have policies. Empty: any.'),
  offerTo: z
    .array(name)
    .default([])
    .describe('Robots that are offered each policy. Empty: those whose rows it was learnt from.'),
  tasks: z
    .partialRecord(z.enum(taskNames), taskSettingsSchema)
    .default({})
    .describe(
      'What is learnt, by task (`standing-still`, `moving-straight`). Of a task that is not here, data are kept and nothing is trained.',
    ),
  limits: limitsSchema.describe('What it may use.'),
  logLevel: configSchema.shape.logLevel,
});

/** As `trainerConfigSchema`, with all paths made absolute. */
export type TrainerConfig = z.output<typeof trainerConfigSchema>;

export const policyIdOf = (
  task: TaskName,
  { policy, algorithm }: Pick<TaskSettings, 'policy' | 'algorithm'>,
): string => (policy === '' ? `${task}-${algorithm.replaceAll('+', '-plus')}` : policy);

/**
 * Loads the configuration of a trainer; relative paths in it are relative to its folder.
 * @throws EdgeError `fileUnreadable`, `configInvalid`
 */
export function loadTrainerConfig(path: string): TrainerConfig {
  const config = readYamlFile(path, trainerConfigSchema, 'configInvalid');
  const here = (relative: string) => resolve(dirname(path), relative);
  // A word alone names what ships; a slash or a file's ending makes it a path.
  const named = (word: string) => (/[/.]/.test(word) ? here(word) : word);
  const file = (relative: string) => (relative === '' ? '' : here(relative));
  const task = (settings: TaskSettings): TaskSettings => ({
    ...settings,
    recipe: /\/|\.ya?ml$/.test(settings.recipe) ? here(settings.recipe) : settings.recipe,
    gaps: settings.gaps.map(gapPath),
    gate: {
      ...settings.gate,
      baseline: ['', 'balancer', 'linear'].includes(settings.gate.baseline)
        ? settings.gate.baseline
        : here(settings.gate.baseline),
      evaluations: settings.gate.evaluations.map((one) => ({ ...one, gaps: one.gaps.map(gapPath) })),
    },
  });
  const gapPath = (gap: string) => (/\/|\.ya?ml$/.test(gap) ? here(gap) : gap);
  const { broker, tasks } = config;
  return {
    ...config,
    directory: here(config.directory),
    releaseKey: here(config.releaseKey),
    robot: named(config.robot),
    broker: {
      ...broker,
      passwordFile: file(broker.passwordFile),
      caFile: file(broker.caFile),
      certFile: file(broker.certFile),
      keyFile: file(broker.keyFile),
    },
    tasks: Object.fromEntries(Object.entries(tasks).map(([name, settings]) => [name, task(settings)])),
  };
}
