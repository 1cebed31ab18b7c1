import type { JointName } from '../../robot/joints.ts';
import type { ObservationName } from '../manifest-terms.ts';

export interface KnownTerm {
  readonly term: ObservationName;
  /** default_joint_pos is taken from it */
  readonly relative?: boolean;
  /** which joints, where it is never all of them */
  readonly of?: 'legs' | 'wheels';
}

/**
 * What other projects call the numbers of an observation, and what they are here: the table of docs/policies-from-elsewhere.md.
 * Names of mjlab, Isaac Lab and the older Isaac Gym; only such as mean the same everywhere.
 */
export const observationTable: Readonly<Record<string, KnownTerm>> = {
  projected_gravity: { term: 'projectedGravity' },
  gravity_vec: { term: 'projectedGravity' },
  imu_projected_gravity: { term: 'projectedGravity' },
  base_ang_vel: { term: 'angularVelocity' },
  imu_ang_vel: { term: 'angularVelocity' },
  gyro: { term: 'angularVelocity' },
  base_lin_vel: { term: 'linearVelocity' },
  base_quat: { term: 'attitude' },
  imu_quat: { term: 'attitude' },
  joint_pos: { term: 'jointPosition', relative: true },
  joint_pos_rel: { term: 'jointPosition', relative: true },
  dof_pos: { term: 'jointPosition', relative: true },
  joint_vel: { term: 'jointVelocity' },
  joint_vel_rel: { term: 'jointVelocity' },
  dof_vel: { term: 'jointVelocity' },
  // Of mjlab_upkie: each pair of these stands for some of the joints, and the angles are not taken from a default.
  joints_pos: { term: 'jointPosition', of: 'legs' },
  joints_vel: { term: 'jointVelocity', of: 'wheels' },
  trunk_imu: { term: 'attitude' },
  trunk_gyro: { term: 'angularVelocity' },
  actions: { term: 'previousAction' },
  last_action: { term: 'previousAction' },
  last_actions: { term: 'previousAction' },
  prev_actions: { term: 'previousAction' },
  command: { term: 'velocityCommand' },
  commands: { term: 'velocityCommand' },
  velocity_commands: { term: 'velocityCommand' },
};

const parts: Readonly<Record<string, 'hip' | 'knee' | 'wheel'>> = {
  hip: 'hip',
  thigh: 'hip',
  knee: 'knee',
  calf: 'knee',
  shank: 'knee',
  wheel: 'wheel',
};
const sides: Readonly<Record<string, 'Left' | 'Right'>> = { left: 'Left', l: 'Left', right: 'Right', r: 'Right' };
/** Words that say nothing about which joint it is: every joint of this robot turns about the pitch axis. */
const fillers: ReadonlySet<string> = new Set(['joint', 'pitch']);

/** Which joint a name such as "left_hip", "kneeRight" or "L_wheel_joint" means; `undefined` where it could be another. */
export function jointNamed(name: string): JointName | undefined {
  const words = name
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[_\-. /]+/)
    .filter((word) => word !== '' && !fillers.has(word));
  if (words.length !== 2) return undefined;
  const found = words.map((word) => ({
    part: Object.hasOwn(parts, word) ? parts[word] : undefined,
    side: Object.hasOwn(sides, word) ? sides[word] : undefined,
  }));
  const part = found.find((word) => word.part)?.part;
  const side = found.find((word) => word.side)?.side;
  return part && side && `${part}${side}`;
}
