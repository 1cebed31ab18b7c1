import { EdgeError } from '../../errors.ts';
import type { Robot } from '../../robot/robot.ts';
import { loadRobot } from '../../robot/robot.ts';
import type { Task } from '../../robot/tasks/task.ts';
import { taskByName } from '../../robot/tasks/tasks.ts';
import type { Environment } from '../../simulation/environments/environment.ts';
import { HalfCheetah } from '../../simulation/environments/half-cheetah.ts';
import { WheelLegged } from '../../simulation/environments/wheel-legged.ts';
import type { Recipe } from '../recipes/recipe.ts';
import { observationSpec } from '../trained-policy.ts';
import type { RunConfig } from './run-config.ts';
import type { ViewSettings } from './view.ts';

/** What a run is about, besides how it learns. */
export type Subject = Pick<RunConfig, 'environment' | 'task' | 'robot' | 'recipe'>;

/** The robot and the task of a run on the wheel-legged robot. */
export interface RobotTask {
  readonly robot: Robot;
  readonly task: Task;
  /** control periods that one action is held for */
  readonly hold: number;
}

/** @throws EdgeError `trainingInvalid` for a rate that does not divide that of the sensors */
export function robotTask({ environment, task, robot: name, recipe }: Subject): RobotTask | undefined {
  if (environment !== 'wheel-legged') return undefined;
  if (task === null) {
    throw new EdgeError('trainingInvalid', 'the wheel-legged robot is given no task', 'add --task standing-still');
  }
  const robot = loadRobot(name);
  const hold = robot.policy.rate / recipe.decisionRate;
  if (!Number.isInteger(hold)) {
    throw new EdgeError(
      'trainingInvalid',
      `decisions at ${recipe.decisionRate} Hz do not divide the robot's ${robot.policy.rate} Hz`,
      'set decisionRate to 200, 100, 50, 40 or 25',
    );
  }
  return { robot, task: taskByName(task), hold };
}

/** What the networks see of the environment, and the rewards that they learn from. */
export function viewSettings(subject: Subject, names: readonly string[]): ViewSettings {
  const { reward } = subject.recipe;
  const known = robotTask(subject);
  if (!known) {
    // Offsets are for the tasks of the robot; so are the scales of its observation.
    return { terms: names.map((name) => ({ name, scale: 1 })), reward: { offset: 0, scale: reward.scale } };
  }
  const { terms } = observationSpec(subject.recipe, known.task);
  return {
    // `observationSpec` makes terms of one number each.
    terms: terms.map(({ name, scale }) => ({ name, scale: Number(scale) })),
    reward: { offset: reward.offset[known.task.name], scale: reward.scale },
  };
}

/** The simulator that is learned in, or where policies are evaluated. */
export interface WorldOptions {
  readonly gaps: readonly string[];
  /** the robot as it is believed to be, or its twin with the imperfections of the robot file */
  readonly dynamics: 'simulator' | 'twin';
}

/** @throws EdgeError as the environments */
export function createWorld(subject: Subject, { gaps, dynamics }: WorldOptions): Promise<Environment> {
  const known = robotTask(subject);
  if (!known) {
    checkRate(subject.recipe);
    return HalfCheetah.create({ gaps });
  }
  return WheelLegged.create({ ...known, dynamics, gaps });
}

function checkRate({ decisionRate }: Recipe): void {
  if (decisionRate === 20) return;
  throw new EdgeError(
    'trainingInvalid',
    `HalfCheetah decides at 20 Hz, the recipe at ${decisionRate} Hz`,
    'use --recipe paper-halfcheetah',
  );
}
