import { z } from 'zod';
import { jointNames } from '../../robot/joints.ts';
import { readYamlFile } from '../../yaml-file.ts';
import { observationNames } from '../manifest-terms.ts';

/** What the metadata of a model does not say, or says wrongly: stated by who imports it. */

const each = z.union([z.number(), z.array(z.number()).min(1).max(64)]);

const jointSchema = z.union([
  z.enum(jointNames),
  z.strictObject({
    name: z.enum(jointNames),
    /** −1 where their joint turns the other way round */
    sign: z.union([z.literal(1), z.literal(-1)]).default(1),
    /** our angle where theirs is 0 [rad] */
    zero: z.number().default(0),
  }),
]);

const observationSchema = z.strictObject({
  term: z.enum(observationNames),
  /** their names, in their order; all of joint_names (or of the actions) if left out */
  joints: z.array(z.string()).min(1).max(64).optional(),
  /** default_joint_pos is taken from positions */
  relative: z.boolean().optional(),
  scale: each.optional(),
  /** of the scaled value */
  clip: z.tuple([z.number(), z.number()]).optional(),
  history: z.int().min(1).max(64).optional(),
});

const actionSchema = z.strictObject({
  kind: z.enum(['position', 'velocity', 'torque']).optional(),
  scale: z.number().optional(),
  offset: z.number().optional(),
  /** of the target, in its unit */
  clip: z.tuple([z.number(), z.number()]).optional(),
  damping: z.number().positive().optional(),
});

/** The file of `policy import --overrides`. */
export const overridesSchema = z.strictObject({
  /** decisions a second [Hz] */
  rate: z.number().min(1).max(1000).optional(),
  /** their names, in the order of joint_names */
  jointNames: z.array(z.string()).min(1).max(64).optional(),
  /** by their names */
  joints: z.record(z.string(), jointSchema).default({}),
  /** in the order of the input */
  observationNames: z.array(z.string()).min(1).max(64).optional(),
  /** by their names */
  observations: z.record(z.string(), observationSchema).default({}),
  /** their names, in the order of the output */
  actionJoints: z.array(z.string()).min(1).max(64).optional(),
  /** by their names */
  actions: z.record(z.string(), actionSchema).default({}),
  /** what the actions of wheels are, where neither `actions` nor the gains of the model say */
  wheels: z.enum(['velocity', 'torque']).optional(),
  /** an action of 0 means the default position: what mjlab and Isaac Lab do unless told otherwise */
  defaultOffset: z.boolean().default(true),
  /** whose gains hold the legs: as trained, which must be the robot file's; or the robot's whatever it was trained with */
  gains: z.enum(['trained', 'robot']).default('trained'),
});
export type Overrides = z.output<typeof overridesSchema>;

/** @throws EdgeError `fileUnreadable`, `bundleInvalid` */
export const readOverrides = (path: string): Overrides => readYamlFile(path, overridesSchema, 'bundleInvalid');

export const noOverrides: Overrides = overridesSchema.parse({});
