import type { ArmedMode } from '../messages/mode.ts';
import type { Robot } from '../robot/robot.ts';
import { taskByName } from '../robot/tasks/tasks.ts';
import type { ArmingCheck } from './arming.ts';

/**
 * Noise may take at most this share of the torque scale: what is left must catch the robot. Of 3 N·m that is 1.5, two
 * standard deviations of the rougher of two collectors that were studied (0.5 + 0.5 N·m), which already falls each second.
 */
export const MOST_NOISE_SHARE = 0.5;

/** The place may be set this far from the task's [m]: half a metre to either side is what one person can watch over. */
export const MOST_PLACE = 0.5;

/** What a robot takes of exploration in one task. `torque` [N·m] is of both wheels; `setPoint` in m, or m/s where the task moves. */
export function explorationLimits(mode: ArmedMode, robot: Robot): { torque: number; setPoint: number } {
  const { originResetsEachEpisode: travels, targetVelocity } = taskByName(mode.task);
  const speed = Math.abs(mode.targetVelocity ?? targetVelocity);
  return {
    torque: MOST_NOISE_SHARE * robot.policy.torqueScale,
    setPoint: travels ? Math.max(0, robot.limits.targetVelocity - speed) : MOST_PLACE,
  };
}

/** Whether the exploration of a mode is one that this robot takes. @param robot with the limits of the task */
export function explorationChecks(mode: ArmedMode, robot: Robot): ArmingCheck[] {
  const { exploration } = mode;
  if (!exploration) return [];
  const { wander, white, mostTorque, setPoint } = exploration;
  const most = explorationLimits(mode, robot);
  const torque = Math.max(wander, white, mostTorque);
  return [
    {
      id: 'exploration',
      // A sum that is no number is not within anything.
      ok: torque <= most.torque && setPoint <= most.setPoint,
      found: `noise up to ${torque} N·m, limit ${most.torque}; set points up to ${setPoint}, limit ${most.setPoint}`,
      remedy: 'ask for less noise, or for set points nearer to the task',
    },
  ];
}
