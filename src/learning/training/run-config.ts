import { z } from 'zod';
import { taskNames } from '../../robot/tasks/tasks.ts';
import { algorithmNames } from '../algorithms/algorithms.ts';
import { recipeSchema } from '../recipes/recipe.ts';

export const environmentNames = ['wheel-legged', 'half-cheetah'] as const;

const count = z.int().positive();

/** `config.yaml` of a run: everything that its numbers follow from. */
export const runConfigSchema = z.strictObject({
  format: z.literal(1),
  environment: z.enum(environmentNames),
  /** null for an environment that has but one */
  task: z.enum(taskNames).nullable(),
  /** a robot that ships or a robot file; of the wheel-legged robot */
  robot: z.string(),
  algorithm: z.enum(algorithmNames as [(typeof algorithmNames)[number]]),
  dataset: z
    .strictObject({
      path: z.string(),
      rows: count,
      /** of all numbers as they were read */
      sha256: z.string(),
    })
    .nullable(),
  /** of the simulator that is learned in */
  gaps: z.array(z.string()),
  steps: count,
  /** the first of them; the others count up from it */
  seed: z
    .int()
    .min(-(2 ** 31))
    .max(2 ** 31 - 1),
  seeds: z.int().min(1).max(64),
  engine: z.string(),
  evaluation: z.strictObject({
    /** gradient steps between two */
    every: count,
    episodes: count,
    /** [s] of a balancing robot's episode */
    seconds: z.number().positive(),
    /** null evaluates in the simulator that is learned in; else on the twin with these gaps */
    twinGaps: z.array(z.string()).nullable(),
  }),
  /** gradient steps between lines of metrics */
  metricsEvery: count,
  /** gradient steps between checkpoints */
  checkpointEvery: count,
  recipe: recipeSchema,
  /** of the program */
  revision: z.string(),
});
export type RunConfig = z.output<typeof runConfigSchema>;

export const seedsOf = ({ seed, seeds }: Pick<RunConfig, 'seed' | 'seeds'>): number[] =>
  Array.from({ length: seeds }, (_, index) => seed + index);
