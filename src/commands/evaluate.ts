import { type Command, Option } from 'commander';
import { EdgeError } from '../errors.ts';
import { endWithParent } from './end-with-parent.ts';

export interface EvaluateOptions {
  task?: string;
  gap?: string[];
  seeds: number;
  seconds: number;
  dynamics: 'twin' | 'simulator';
  robot: string;
  environment: string;
  json?: boolean;
}

const number = (text: string): number => {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0)) throw new EdgeError('usage', `"${text}" is no number above 0`, 'give one');
  return value;
};

const count = (text: string): number => {
  const value = number(text);
  if (!Number.isInteger(value)) throw new EdgeError('usage', `"${text}" is no whole number`, 'give one');
  return value;
};

export function registerEvaluate(program: Command): void {
  program
    .command('evaluate')
    .description('say how a policy does on the simulated robot, over many seeds, by ground truth')
    .argument('<bundle>', 'folder of a policy, or one of the references: balancer, linear')
    .option('--task <name>', "standing-still or moving-straight; default the bundle's")
    .option('--gap <name...>', 'gaps that ship or files; several compose')
    .option('--seeds <n>', 'episodes, one a seed', count, 10)
    .option('--seconds <s>', 'the longest that the robot is watched', number, 30)
    .addOption(
      new Option(
        '--dynamics <kind>',
        'the twin with its imperfections, or the ideal simulator that training believes in',
      )
        .choices(['twin', 'simulator'])
        .default('twin'),
    )
    .option('--robot <name>', 'a robot that ships, or a robot file', 'wheel-legged')
    .addOption(
      new Option('--environment <name>', 'what is simulated')
        .choices(['wheel-legged', 'half-cheetah', 'halfcheetah'])
        .default('wheel-legged'),
    )
    .option('--json', 'print one JSON object as the last line')
    .action(async (bundle: string, options: EvaluateOptions) => {
      endWithParent();
      // Only here: nothing of the simulator is installed on a robot.
      const { evaluateBundle } = await import('./evaluate/run.ts');
      await evaluateBundle(bundle, options);
    });
}
