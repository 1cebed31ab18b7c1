import { type Command, InvalidArgumentError } from 'commander';
import type { OpenOptions } from '../../dataset/open-dataset.ts';
import { taskByName, taskNames } from '../../robot/tasks/tasks.ts';

/** How a dataset is read, as the command line has it. */
export interface ReadFlags {
  readonly task?: string;
  readonly robot?: string;
  readonly hold?: number;
  readonly rate?: number;
  readonly onlyClean?: boolean;
}

const number = (text: string): number => {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError(`"${text}" is not a number.`);
  return value;
};

export const numberArgument = number;

/** Adds the options that say how a dataset is read. */
export const withReadOptions = (command: Command): Command =>
  command
    .option('--task <task>', `which task: ${taskNames.join(', ')}; a log needs it, a recording of both too`)
    .option('--robot <name>', 'robot file: the torque of an action of 1', 'wheel-legged')
    .option('--hold <frames>', 'sensor frames that one transition spans, of a recording (default: 1)', number)
    .option('--rate <hz>', 'decisions a second, in place of --hold', number)
    .option('--only-clean', 'leave out rows on which a limit, an overrun or the fallback acted; an episode ends there');

/** @throws EdgeError `usage` for a task that does not exist */
export const openOptions = ({ task, robot, hold, rate, onlyClean }: ReadFlags): OpenOptions => ({
  ...(task !== undefined && { task: taskByName(task).name }),
  robot,
  hold,
  rate,
  onlyClean,
});
