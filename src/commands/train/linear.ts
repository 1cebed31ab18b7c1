import type { KeyObject } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { EdgeError } from '../../errors.ts';
import { type LinearLaw, linearPolicy, tuneLinear } from '../../learning/algorithms/linear.ts';
import { createWorld, robotTask } from '../../learning/training/worlds.ts';
import { writePolicy } from '../../learning/training/write-policies.ts';
import type { ManifestDraft } from '../../policy/manifest.ts';
import { buildLinearPolicy } from '../../policy/onnx-linear.ts';
import { goldenPairs } from '../../policy/runtime.ts';
import { taskByName } from '../../robot/tasks/tasks.ts';
import { revision } from '../context.ts';
import { complain, say, sayJson } from '../output.ts';
import type { TrainOptions } from '../train.ts';
import { recipeOf, withoutNone } from './plan.ts';

const YEAR_MS = 365 * 24 * 3600 * 1000;

/**
 * The reference: a law of five numbers for the robot, tuned in the simulator, as a bundle for each seed. It takes seconds,
 * so that there is nothing to resume.
 */
export async function trainLinear(options: TrainOptions, key: KeyObject | undefined): Promise<void> {
  if (options.environment !== 'wheel-legged' || options.task === undefined) {
    throw new EdgeError(
      'usage',
      'the linear law is for the tasks of the wheel-legged robot',
      'add --task standing-still',
    );
  }
  if (options.out === undefined) throw new EdgeError('usage', 'no folder for the run is named', 'add --out DIR');
  const folder = resolve(options.out);
  if (existsSync(folder) && readdirSync(folder).length > 0) {
    throw new EdgeError('trainingInvalid', `${folder} is not empty`, 'name another folder');
  }
  if (options.dataset !== undefined) complain('warning: linear uses no real data: --dataset is not read');
  const recipe = recipeOf(options, 'wheel-legged');
  const task = taskByName(options.task);
  const subject = { environment: 'wheel-legged', task: task.name, robot: options.robot, recipe } as const;
  const robot = robotTask(subject)?.robot;
  if (!robot) return;
  const gaps = withoutNone(options.gap ?? []);
  const environment = await createWorld(subject, { gaps, dynamics: 'simulator' });
  const policies: string[] = [];
  try {
    for (let seed = options.seed; seed < options.seed + options.seeds; seed++) {
      let decisions = 0;
      const law: LinearLaw = tuneLinear({
        environment,
        seed,
        // 5 s tell a law that stands from one that does not
        decisions: Math.round(5 / environment.stepSeconds),
        onGeneration: (progress) => {
          decisions = progress.decisions;
          complain(`generation ${progress.generation}: return ${progress.eliteReturn.toFixed(0)}`);
        },
      });
      const model = buildLinearPolicy(linearPolicy(law));
      const now = new Date();
      const draft: ManifestDraft = {
        format: 1,
        id: `${task.name}-linear-seed-${seed < 0 ? `minus-${-seed}` : seed}`,
        version: options.policyVersion,
        task: task.name,
        robot: robot.name,
        description:
          'A linear law of five numbers, tuned by the cross-entropy method in the simulator' +
          `${gaps.length > 0 ? ` with ${gaps.join(', ')}` : ''}: a mark for learned policies to beat.`,
        algorithm: 'linear',
        rate: recipe.decisionRate,
        observation: { terms: (['x', 'v', 'pitch', 'pitchRate'] as const).map((name) => ({ name })) },
        action: { terms: [{ name: 'wheelTorque', scale: robot.policy.torqueScale }] },
        training: { data: null, seed, steps: decisions, revision, engine: null },
        created: now.toISOString(),
        expires: new Date(now.getTime() + YEAR_MS).toISOString(),
        golden: { tolerance: 1e-5, pairs: await goldenPairs(model, 1, PROBES) },
      };
      const directory = join(folder, 'policies', draft.id);
      writePolicy(directory, draft, model, key);
      policies.push(directory);
    }
  } finally {
    environment.delete();
  }
  if (options.json) sayJson({ ok: true, folder, policies });
  else for (const path of policies) say(path);
}

/** Nothing, each number of the state alone, and all of them. */
const PROBES = [
  [0, 0, 0, 0],
  [0.1, 0, 0, 0],
  [0, 0.1, 0, 0],
  [0, 0, 0.05, 0],
  [0, 0, 0, 0.2],
  [-0.05, 0.1, -0.02, 0.1],
];
