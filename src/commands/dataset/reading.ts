import { type Command, Option } from 'commander';
import type { OpenOptions } from '../../dataset/open-dataset.ts';
import { taskNames } from '../../robot/tasks/tasks.ts';

/** How a dataset is read, as options of a command. */
export type ReadingOptions = OpenOptions;

export const withReading = (command: Command): Command =>
  command
    .addOption(new Option('--task <name>', 'which task, where rows of both are recorded').choices([...taskNames]))
    .option('--robot <file>', 'robot file of a recording (default: wheel-legged)')
    .addOption(new Option('--hold <frames>', 'frames of a recording that one transition spans').argParser(Number))
    .addOption(new Option('--rate <Hz>', 'the same, as decisions per second').argParser(Number))
    .option('--only-clean', 'without rows on which a limit or fallback acted, or that came late');
