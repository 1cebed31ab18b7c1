import { type Command, Option } from 'commander';
import { EdgeError } from '../errors.ts';
import { endWithParent } from './end-with-parent.ts';

/** What `train` is told; numbers are checked by the schema of the run's configuration. */
export interface TrainOptions {
  task?: string;
  environment: string;
  robot: string;
  algorithm?: string;
  recipe: string;
  asPublished?: boolean;
  set?: string[];
  dataset?: string;
  gap?: string[];
  steps?: number;
  seed: number;
  seeds: number;
  engine: string;
  out?: string;
  resume?: string;
  evaluateEvery?: number;
  evaluationEpisodes: number;
  evaluationSeconds: number;
  twinGap?: string[];
  metricsEvery?: number;
  checkpointEvery?: number;
  saveReplay?: string;
  key?: string;
  policyVersion: number;
  json?: boolean;
}

const number = (text: string): number => {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) {
    throw new EdgeError('usage', `"${text}" is not a number`, 'give a number');
  }
  return value;
};

const HELP = `
DIR holds config.yaml, metrics.jsonl, checkpoints/, curves.svg and policies/. Ctrl-C saves; \`train --resume DIR\` goes on with the
same bits and needs nothing else; on a run that is done it writes the policies again, for example signed with --key.

Examples:
  h2o-edge train --task standing-still --algorithm sac --out runs/sac
  h2o-edge train --task standing-still --algorithm h2o --dataset state/recordings --seeds 3 --out runs/h2o
  h2o-edge train --task standing-still --algorithm sac --gap randomised --set training.batch=64 --out runs/randomised
  h2o-edge train --environment half-cheetah --recipe paper --algorithm sac --out runs/cheetah --save-replay replay.hdf5`;

export function registerTrain(program: Command): void {
  program
    .command('train')
    .description('learn a policy, from a simulator, real data or both')
    .option('--task <name>', 'standing-still or moving-straight')
    .option('--algorithm <name>', 'sac, cql, darc, darc+, h2o, h2o+, or the references mix and linear')
    .option('--dataset <path>', 'real data: a folder of recordings, D4RL HDF5, Minari, LeRobot, CSV or a log')
    .option(
      '--gap <name...>',
      'how the simulator differs from the robot file: gaps that ship or files; several compose',
    )
    .option('--steps <n>', "gradient steps; default the recipe's", number)
    .option('--seed <n>', 'everything random follows from it', number, 1)
    .option('--seeds <n>', 'train so many seeds at once, counting up from --seed', number, 1)
    .option('--out <folder>', 'of the run; must be new')
    .option('--resume <folder>', 'go on with a run from its newest checkpoint')
    .option('--recipe <name>', 'edge, paper, or a YAML file', 'edge')
    .option('--as-published', "with what the authors' code does by accident")
    .option('--set <knob=value...>', 'change knobs of the recipe, such as training.batch=64 or h2o.gap.weight=1')
    .addOption(
      new Option('--environment <name>', 'what is simulated')
        .choices(['wheel-legged', 'half-cheetah', 'halfcheetah'])
        .default('wheel-legged'),
    )
    .option('--robot <name>', 'a robot that ships, or a robot file', 'wheel-legged')
    .option('--engine <name>', 'onnx, cpu or tfjs-node', 'onnx')
    .option('--evaluate-every <steps>', 'between evaluations; default a twelfth of the run', number)
    .option('--evaluation-episodes <n>', 'of each evaluation', number, 3)
    .option('--evaluation-seconds <s>', 'the longest that a robot is watched', number, 30)
    .option(
      '--twin-gap <name...>',
      'evaluate on the twin with these gaps (none for the twin itself), not in the simulator',
    )
    .option('--metrics-every <steps>', 'between lines of metrics; default a hundredth of the run', number)
    .option('--checkpoint-every <steps>', 'between checkpoints; default a tenth of the run', number)
    .option('--save-replay <file>', 'at the end: what the simulator gave, as D4RL HDF5')
    .option('--key <file>', 'release key that signs the policies')
    .option('--policy-version <n>', 'of the bundles', number, 1)
    .option('--json', 'print one JSON object as the last line')
    .addHelpText('after', HELP)
    .action(async (options: TrainOptions) => {
      endWithParent();
      // Only here: nothing that learns is installed on a robot.
      const { train } = await import('./train/run.ts');
      await train(options);
    });
}
