import { z } from 'zod';
import { isWheel, jointNames, wheelJoints } from '../robot/joints.ts';

/** What the numbers of a policy's observation and action are: the part of the manifest that a robot computes with. */

/**
 * What a term of the observation is, in SI units, and how many numbers it has where that is not one for each of its `joints`.
 *
 * x [m], v [m/s], pitch [rad], pitchRate [rad/s] as in the task's state; targetVelocity [m/s]; previousAction: what was really
 * sent last, in units of the action. With `joints`: what the policy itself answered at its latest decision for these, 0 before
 * the first.
 *
 * projectedGravity: unit vector downward in the body's axes [1], upright (0, 0, −1); angularVelocity: of the body, in its
 * axes [rad/s]; linearVelocity: the odometry's forward speed turned into the body's axes, sideways 0 [m/s]; attitude: unit
 * quaternion w, x, y, z from body to world, w never negative [1]; velocityCommand: forward [m/s], to the left [m/s], turning
 * to the left [rad/s]; jointPosition [rad] and jointVelocity [rad/s] of `joints`, a wheel's against its shank.
 */
export const termWidths = {
  x: 1,
  v: 1,
  pitch: 1,
  pitchRate: 1,
  targetVelocity: 1,
  previousAction: 1,
  projectedGravity: 3,
  angularVelocity: 3,
  linearVelocity: 3,
  attitude: 4,
  velocityCommand: 3,
  jointPosition: 0,
  jointVelocity: 0,
} as const;
export type ObservationName = keyof typeof termWidths;
export const observationNames = Object.keys(termWidths) as [ObservationName, ...ObservationName[]];

const ofJoints: readonly ObservationName[] = ['jointPosition', 'jointVelocity'];
const mayHaveJoints: readonly ObservationName[] = [...ofJoints, 'previousAction'];

const finite = z.number();
/** one for all numbers of the term, or one for each */
const each = z.union([finite, z.array(finite).min(1).max(64)]);
const interval = z.tuple([finite, finite]).refine(([low, high]) => low < high, { error: 'must rise' });
const eachInterval = z.union([interval, z.array(interval).min(1).max(64)], { error: 'must be [low, high]' });

const observationTermSchema = z
  .strictObject({
    name: z.enum(observationNames),
    /** which joints a term of joints is of, in this order */
    joints: z.array(z.enum(jointNames)).min(1).optional(),
    /** the observation is clip((raw − offset) · scale) */
    scale: each.default(1),
    offset: each.default(0),
    clip: z
      .union([interval, z.array(interval).min(1).max(64)])
      .nullable()
      .default(null),
    /** least and greatest raw value in the data that the policy was trained on, with what its author allows beyond */
    range: eachInterval.optional(),
    /** so many latest values of this term, one after the other, oldest first; only where `observation.history` is 1 */
    history: z.int().min(1).max(64).optional(),
  })
  .superRefine((term, context) => {
    const { name, joints, scale, offset, clip, range } = term;
    if (ofJoints.includes(name) && !joints) {
      context.addIssue({ code: 'custom', path: ['joints'], message: `${name} must name its joints` });
    }
    if (joints && !mayHaveJoints.includes(name)) {
      context.addIssue({ code: 'custom', path: ['joints'], message: `${name} has no joints` });
    }
    if (joints && new Set(joints).size !== joints.length) {
      context.addIssue({ code: 'custom', path: ['joints'], message: 'a joint stands here twice' });
    }
    const width = termWidth(term);
    const lists = { scale, offset, clip: isPairs(clip) ? clip : 0, range: isPairs(range) ? range : 0 };
    for (const [key, value] of Object.entries(lists)) {
      if (!Array.isArray(value) || value.length === width) continue;
      context.addIssue({ code: 'custom', path: [key], message: `has ${value.length} values, ${name} has ${width}` });
    }
  });
export type ObservationTerm = z.output<typeof observationTermSchema>;

type Pair = readonly [number, number];
const isPairs = (value: unknown): value is readonly Pair[] => Array.isArray(value) && Array.isArray(value[0]);

/** Numbers of a term, without its history. */
export function termWidth({ name, joints }: { name: ObservationName; joints?: readonly string[] | undefined }): number {
  return joints?.length ?? termWidths[name];
}

const ofTasks: readonly ObservationName[] = ['x', 'v', 'pitch', 'pitchRate', 'targetVelocity', 'previousAction'];

/** Whether a policy looks at more than the state of the tasks and the torque sent last: a row does not hold what it needs. */
export function seesBody({ terms }: Pick<ObservationSpec, 'terms'>): boolean {
  return terms.some(({ name, joints }) => joints !== undefined || !ofTasks.includes(name));
}

/** The same term of the same joints. */
const identity = ({ name, joints = [] }: Pick<ObservationTerm, 'name' | 'joints'>) => [name, ...joints].join(' ');

export const observationSchema = z
  .strictObject({
    terms: z
      .array(observationTermSchema)
      .min(1)
      .refine((terms) => new Set(terms.map(identity)).size === terms.length, { error: 'a term stands here twice' }),
    /** so many latest observations, one after the other, oldest first */
    history: z.int().min(1).max(64).default(1),
  })
  .refine(({ terms, history }) => history === 1 || terms.every((term) => term.history === undefined), {
    path: ['history'],
    error: 'must be 1 where a term has a history of its own',
  });
export type ObservationSpec = z.output<typeof observationSchema>;

/** What of an observation says how long it is. */
export interface ObservationShape {
  readonly terms: ReadonlyArray<Parameters<typeof termWidth>[0] & { readonly history?: number | undefined }>;
  readonly history: number;
}

/** Length of the observation vector. */
export function observationSize({ terms, history }: ObservationShape): number {
  return history * terms.reduce((sum, term) => sum + termWidth(term) * (term.history ?? 1), 0);
}

const wheelTorqueTermSchema = z.strictObject({
  name: z.literal('wheelTorque'),
  /** action 1 is this total torque of both wheels [N·m] */
  scale: z.number().positive(),
});

/**
 * One joint: its target is clip(offset + scale · action), [rad] for `position`, [rad/s] for `velocity`, [N·m] for `torque`.
 * Legs take positions, held by the motor controller with the robot's own gains; wheels take velocities or torques.
 */
const jointTermSchema = z
  .strictObject({
    name: z.enum(jointNames),
    kind: z.enum(['position', 'velocity', 'torque']),
    scale: finite.default(1),
    offset: finite.default(0),
    /** of the target, in its unit */
    clip: interval.nullable().default(null),
    /** of a wheel's velocity: torque per velocity that is missing [N·m·s/rad] */
    damping: z.number().positive().optional(),
  })
  .superRefine(({ name, kind, damping }, context) => {
    const wheel = isWheel(name);
    if (wheel === (kind === 'position')) {
      const takes = wheel ? 'a wheel takes velocity or torque' : 'a leg joint takes position';
      context.addIssue({ code: 'custom', path: ['kind'], message: `${name} cannot take ${kind}: ${takes}` });
    }
    if ((kind === 'velocity') !== (damping !== undefined)) {
      const message = kind === 'velocity' ? 'must be given for a velocity' : 'is of a velocity only';
      context.addIssue({ code: 'custom', path: ['damping'], message });
    }
  });
export type JointTerm = z.output<typeof jointTermSchema>;

const actionTermSchema = z.discriminatedUnion('name', [wheelTorqueTermSchema, jointTermSchema]);

/** The total torque of both wheels alone; or joints, each once and both wheels among them. */
export const actionSchema = z.strictObject({
  terms: z
    .tuple([actionTermSchema])
    .rest(actionTermSchema)
    .superRefine((terms, context) => {
      const names = terms.map(({ name }) => name);
      const problem = (message: string) => context.addIssue({ code: 'custom', message });
      if (new Set(names).size !== names.length) problem('a term stands here twice');
      if (names.includes('wheelTorque')) {
        if (names.length > 1) problem('wheelTorque stands alone: beside it no joint may be commanded');
      } else if (!wheelJoints.every((wheel) => names.includes(wheel))) {
        problem(`a policy of joints must command both wheels: ${wheelJoints.join(', ')}`);
      }
    }),
});
export type ActionSpec = z.output<typeof actionSchema>;

/** The terms of a policy that commands joints; `undefined` for one of the total torque. */
export function jointTermsOf({ terms }: ActionSpec): readonly JointTerm[] | undefined {
  const joints = terms.filter((term) => term.name !== 'wheelTorque');
  return joints.length > 0 ? joints : undefined;
}
