import type { Robot } from '../../robot/robot.ts';
import { designBalancer } from '../balancer-design.ts';
import { decodeModel, encodeModel, type OnnxEntry, type OnnxModel } from '../onnx-format.ts';
import { buildLinearPolicy } from '../onnx-linear.ts';
import { type Overrides, overridesSchema } from './overrides.ts';

/** Models such as other projects export them, made here. */

export interface ForeignOptions {
  /** one row for each action */
  readonly weights: readonly (readonly number[])[];
  readonly bias?: readonly number[];
  readonly metadata?: Readonly<Record<string, string>> | readonly OnnxEntry[];
  readonly input?: string;
  readonly output?: string;
  /** of the batch: a number or a name */
  readonly batch?: number | string;
  readonly change?: (model: OnnxModel) => OnnxModel;
}

const entriesOf = (metadata: ForeignOptions['metadata'] = {}): OnnxEntry[] =>
  Array.isArray(metadata) ? [...metadata] : Object.entries(metadata).map(([key, value]) => ({ key, value }));

/** A linear policy without a clip, with the names of rsl_rl's exporter. */
export function foreignModel({
  weights,
  bias = weights.map(() => 0),
  metadata,
  input = 'obs',
  output = 'actions',
  batch = 1,
  change = (model) => model,
}: ForeignOptions): Uint8Array {
  const model = decodeModel(buildLinearPolicy({ weights, bias }));
  const name = (own: string) => (own === 'observation' ? input : own === 'unclipped' ? output : own);
  const dimension = typeof batch === 'number' ? { dim_value: batch } : { dim_param: batch };
  const vector = (own: string, width: number) => ({
    name: own,
    type: [{ tensor_type: [{ elem_type: 1, shape: [{ dim: [dimension, { dim_value: width }] }] }] }],
  });
  return encodeModel(
    change({
      ...model,
      metadata_props: entriesOf(metadata),
      graph: model.graph.map((graph) => ({
        ...graph,
        node: graph.node
          .filter(({ op_type }) => op_type !== 'Clip')
          .map((node) => ({ ...node, input: node.input.map(name), output: node.output.map(name) })),
        initializer: graph.initializer.filter((tensor) => tensor.name === 'weights' || tensor.name === 'bias'),
        input: [vector(input, weights[0]?.length ?? 0)],
        output: [vector(output, weights.length)],
      })),
    }),
  );
}

const wheelDamping = 0.05;
const wheelScale = 100;
/** as the model has them */
export const theirJoints = ['left_hip', 'left_knee', 'left_wheel', 'right_hip', 'right_knee', 'right_wheel'] as const;

/** Metadata as mjlab writes it, for this robot. */
export function mjlabMetadata(robot: Robot): Record<string, string> {
  const { hipStance, kneeStance, stiffness, damping } = robot.legs;
  const each = (hip: number, knee: number, wheel: number) =>
    [hip, knee, wheel, hip, knee, wheel].map((value) => value.toFixed(3)).join(',');
  return {
    run_path: 'local/run-1',
    joint_names: theirJoints.join(','),
    joint_stiffness: each(stiffness, stiffness, 0),
    joint_damping: each(damping, damping, wheelDamping),
    default_joint_pos: each(hipStance, kneeStance, 0),
    command_names: 'twist',
    observation_names: 'joint_pos,joint_vel,base_quat,base_ang_vel,actions,command',
    action_scale: each(0.25, 0.25, wheelScale),
  };
}

/** What the metadata of the standing policy leaves open. */
export const standingOverrides: Overrides = overridesSchema.parse({
  rate: 50,
  observations: {
    joint_pos: { term: 'jointPosition', joints: ['left_hip', 'left_knee', 'right_hip', 'right_knee'], relative: true },
    joint_vel: { term: 'jointVelocity', joints: ['left_wheel', 'right_wheel'] },
  },
});

/**
 * 22 numbers in, 6 out: legs in their default pose, wheels servoed to velocities by which the balancer's law stands.
 * The numbers in: 4 leg positions, 2 wheel velocities, attitude, angular velocity, 6 latest actions, 3 of the command.
 *
 * @param thrown action of every leg joint: 0 is the default pose, much is the end of what it can do
 */
export function standingModel(
  robot: Robot,
  metadata: ForeignOptions['metadata'] = mjlabMetadata(robot),
  thrown = 0,
): Uint8Array {
  const { gains } = designBalancer(robot, 200, { position: false, integral: false });
  const wheel = (own: 4 | 5): number[] => {
    const row = Array<number>(22).fill(0);
    const per = 1 / (2 * wheelDamping * wheelScale);
    const speed = -gains.v * robot.wheels.radius * per;
    for (const one of [4, 5]) row[one] = speed / 2;
    row[own] = (row[own] ?? 0) + 1 / wheelScale;
    // Pitch is twice the y of a quaternion that has not turned far.
    row[8] = -2 * gains.pitch * per;
    row[11] = speed - gains.pitchRate * per;
    row[19] = gains.v * per;
    return row;
  };
  const leg = Array<number>(22).fill(0);
  const bias = [thrown, thrown, 0, thrown, thrown, 0];
  return foreignModel({ weights: [leg, leg, wheel(4), leg, leg, wheel(5)], bias, metadata });
}
