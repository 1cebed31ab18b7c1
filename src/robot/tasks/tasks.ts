import { EdgeError } from '../../errors.ts';
import { movingStraight } from './moving-straight.ts';
import { standingStill } from './standing-still.ts';
import type { Task, TaskName } from './task.ts';

/** Every task, by its name. */
export const tasks: Readonly<Record<TaskName, Task>> = {
  'standing-still': standingStill,
  'moving-straight': movingStraight,
};

export const taskNames = ['standing-still', 'moving-straight'] as const satisfies readonly TaskName[];

/**
 * The task of that name.
 * @throws EdgeError `usage` when there is none
 */
export function taskByName(name: string): Task {
  const known = taskNames.find((candidate) => candidate === name);
  if (known) return tasks[known];
  throw new EdgeError('usage', `there is no task "${name}"`, `use one of: ${taskNames.join(', ')}`);
}
