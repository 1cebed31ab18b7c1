import type { Robot } from './robot.ts';

const known = new WeakMap<Robot, Map<string, Robot>>();

/**
 * The robot with the limits of one task in the place of its own, where the task has some. Asked for on every frame: the
 * same robot and task give the same object.
 */
export function robotForTask(robot: Robot, task: string): Robot {
  let variants = known.get(robot);
  if (!variants) {
    variants = new Map();
    known.set(robot, variants);
  }
  let variant = variants.get(task);
  if (!variant) {
    variant = withLimits(robot, task);
    variants.set(task, variant);
  }
  return variant;
}

function withLimits(robot: Robot, task: string): Robot {
  const own = robot.tasks[task as keyof Robot['tasks']];
  if (!own) return robot;
  const stated = Object.entries(own).filter(([, value]) => value !== undefined);
  return { ...robot, limits: { ...robot.limits, ...Object.fromEntries(stated) } };
}
