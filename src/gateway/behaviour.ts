import type { Mode } from '../messages/mode.ts';
import type { Status } from '../messages/status.ts';

/**
 * What segments say about how their rows came to be: keys and values are texts, as the metadata of a segment are. The start
 * within a collection is left out, since the same behaviour goes on; it is in the events, with every mode that began.
 * @returns `undefined` while nothing is asked of the robot: what it did last still says where its rows come from
 */
export function behaviourOf(mode: Mode, status: Status | undefined): Record<string, string> | undefined {
  if (mode.task === 'disarmed') return undefined;
  const { task, controller, targetVelocity, exploration } = mode;
  const { episode: _, ...noise } = exploration ?? { episode: 0 };
  return {
    task,
    controller,
    ...(targetVelocity !== undefined && { targetVelocity: String(targetVelocity) }),
    ...(exploration && { exploration: JSON.stringify(noise) }),
    ...(status && { model: status.robot, firmware: status.mcu.peer }),
  };
}
