import type { JointName } from '../../robot/joints.ts';
import { jointNamed } from './names.ts';
import type { PlanInput } from './plan.ts';
import { shown } from './shown.ts';

/** ours = sign · theirs + zero */
export interface Joint {
  readonly theirs: string;
  readonly name: JointName;
  readonly sign: 1 | -1;
  readonly zero: number;
  /** in their coordinate [rad] */
  readonly byDefault: number;
  readonly stiffness: number | undefined;
  readonly damping: number | undefined;
}

/**
 * The joints of a model, as the metadata and the overrides have them.
 * @param said takes what speaks against them, and what was taken for granted
 */
export function readJoints(
  { metadata, overrides, robot }: Pick<PlanInput, 'metadata' | 'overrides' | 'robot'>,
  { reasons, assumed }: { readonly reasons: string[]; readonly assumed: string[] },
): readonly Joint[] {
  const names = overrides.jointNames ?? metadata.jointNames;
  if (!names) {
    reasons.push('joints: the model has no joint_names; state jointNames in --overrides');
    return [];
  }
  const list = (key: string, values: readonly number[] | undefined): readonly number[] | undefined => {
    if (!values || values.length === names.length) return values;
    reasons.push(`joints: ${key} has ${values.length} numbers for ${names.length} joints; export the model again`);
    return undefined;
  };
  const byDefault = list('default_joint_pos', metadata.defaultJointPos);
  const stiffness = list('joint_stiffness', metadata.jointStiffness);
  const damping = list('joint_damping', metadata.jointDamping);
  if (!metadata.jointStiffness && overrides.gains === 'trained') assumed.push('gains: those of the robot file');
  if (!metadata.defaultJointPos) assumed.push('default_joint_pos: 0 for every joint');
  const joints = names.flatMap((theirs, at): Joint[] => {
    const stated = Object.hasOwn(overrides.joints, theirs) ? overrides.joints[theirs] : jointNamed(theirs);
    if (stated === undefined) {
      reasons.push(
        `joints: ${shown(theirs)} is no joint of ${robot.name}; say which one it is under joints in --overrides`,
      );
      return [];
    }
    const whole = typeof stated === 'string' ? { name: stated, sign: 1 as const, zero: 0 } : stated;
    return [{ theirs, ...whole, byDefault: byDefault?.[at] ?? 0, stiffness: stiffness?.[at], damping: damping?.[at] }];
  });
  const ours = joints.map(({ name }) => name);
  const twice = joints.find(({ name }, at) => ours.indexOf(name) !== at);
  if (twice) reasons.push(`joints: ${shown(twice.theirs)} is ${twice.name}, and so is another one; see --overrides`);
  return joints;
}
