import { z } from 'zod';
import { POLICY_STAGES } from './policy-stages.ts';

export const policyStageSchema = z.enum(POLICY_STAGES);

/** The model on this machine, in a process of its own: golden pairs, extreme inputs, time of a run. */
const selfTestSchema = z.strictObject({
  pairs: z.number().describe('Golden pairs that came out as the manifest says.'),
  extremes: z.number().describe('Extreme observations that were answered with finite numbers.'),
  p50Us: z.number().describe('Time of a run [µs].'),
  p99Us: z.number().describe('[µs]'),
  budgetUs: z.number().describe('What it may take: `policyLatencyBudget` of its period [µs].'),
});
export type SelfTest = z.output<typeof selfTestSchema>;

const outsideSchema = z.number().describe('Share of decisions on which the guard would have acted, 0 to 1.');

/** The version on rows that control recorded a moment ago, with the guard in the loop. */
const replayedSchema = z.strictObject({
  decisions: z
    .number()
    .describe(
      '0: there were no rows of its task, or rows do not hold what it looks at or commands (the body, joints).',
    ),
  outside: outsideSchema,
  outsideBefore: outsideSchema.describe('The same of what was really in charge of these rows.'),
  rms: z.number().describe('Difference from what was in charge, in units of the action.'),
  max: z.number().describe('Largest difference.'),
});
export type Replayed = z.output<typeof replayedSchema>;

/** The version beside the one in charge, on the same frames. */
const shadowSchema = z.strictObject({
  seconds: z.number().describe('For how long, by the clock of the motor controller, of `wanted` [s].'),
  wanted: z.number().describe('`policyUpdates.shadowSeconds` [s].'),
  decisions: z.number(),
  outside: outsideSchema,
  outsideBefore: outsideSchema.describe('The same of what is in charge.'),
  rms: z.number().describe('Difference from what is in charge, in units of the action.'),
  max: z.number().describe('Largest difference.'),
  p99Us: z.number().describe('Time of a run [µs].'),
});
export type ShadowReport = z.output<typeof shadowSchema>;

/** The version in charge, with the one before it in reserve. */
const trialSchema = z.strictObject({
  seconds: z.number().describe('In charge so far, by the clock of the motor controller, of `wanted` [s].'),
  wanted: z.number().describe('`policyUpdates.trialSeconds` [s].'),
  frames: z.number().describe('Frames on which it was in charge.'),
  limited: z.number().describe('Frames of these on which the guard acted.'),
  limitedBefore: z.number().describe('Share of frames on which the guard acted on the one before it, 0 to 1.'),
});
export type TrialReport = z.output<typeof trialSchema>;

/** One version of a policy that the robot has heard of. */
export const policyVersionSchema = z.strictObject({
  id: z.string().describe('Of the policy: what a mode names as its controller.'),
  version: z.number().describe('0 when it could not be read.'),
  sha256: z.string().describe('Of the model; empty when it could not be read.'),
  stage: policyStageSchema,
  reasons: z.array(z.string()).describe('Why it is where it is; of a refusal each "code: words".'),
  since: z.number().describe('When it came to that stage [ms since 1970].'),
  active: z.boolean().describe('It is what a mode with this controller runs.'),
  previous: z.boolean().describe('It is what `rollback` returns to.'),
  folder: z.string().optional().describe("Its folder in the gateway's incoming folder, where it came from there."),
  keyId: z.string().optional().describe('The release key that signed it, once that is verified.'),
  selfTest: selfTestSchema.optional(),
  replayed: replayedSchema.optional(),
  shadow: shadowSchema.optional(),
  trial: trialSchema.optional(),
});
export type PolicyVersion = z.output<typeof policyVersionSchema>;

/** What an operator may say of a version. */
export const POLICY_ACTIONS = ['activate', 'rollback', 'shadow', 'unshadow'] as const;
export type PolicyAction = (typeof POLICY_ACTIONS)[number];

/** When a version that has passed everything takes over; see `policyUpdates.activation` of the configuration. */
export const ACTIVATIONS = ['operator', 'after-shadow'] as const;
export type Activation = (typeof ACTIVATIONS)[number];
