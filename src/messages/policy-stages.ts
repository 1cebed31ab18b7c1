import { z } from 'zod';

/**
 * What becomes of one version of a policy on a robot, in order. From every stage before `committed` it can also end as
 * `refused` (it was never let near the robot), `rolled-back` (it was, and the version before it took over again) or
 * `superseded` (a newer one came). `offered` and `downloaded` are the gateway's; everything from `verified` on is decided by control alone.
 */
export const POLICY_STAGES = [
  'offered',
  'downloaded',
  'verified',
  'self-tested',
  'replayed',
  'eligible',
  'shadow',
  'active',
  'committed',
  'rolled-back',
  'refused',
  'superseded',
] as const;
export type PolicyStage = (typeof POLICY_STAGES)[number];

/** Stages that nothing follows by itself. */
export const FINAL_POLICY_STAGES = [
  'committed',
  'rolled-back',
  'refused',
  'superseded',
] as const satisfies readonly PolicyStage[];

/** Name of a policy: the slot that mode commands name as controller. The manifest has the same rule. */
export const policyIdSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, { error: 'lower case letters, digits and "-", at most 63' });

export const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/, { error: 'must be 64 hexadecimal digits' });

const numbers = z.record(z.string(), z.union([z.number(), z.string(), z.boolean(), z.null()]));

/** One version of a policy, as its robot tells. It may gain keys. */
export const policyVersionSchema = z.looseObject({
  id: policyIdSchema,
  version: z.int().positive(),
  sha256: sha256Schema.describe(
    "Of the model, as the manifest names it; that of what came, where the manifest can't be read.",
  ),
  stage: z.enum(POLICY_STAGES),
  reasons: z.array(z.string()).describe('Why it was refused or rolled back, or is waiting; empty if nothing is wrong.'),
  since: z.number().describe("When it came to this stage [ms since 1970, robot's wall clock]."),
  from: z.string().optional().describe('Who offered it.'),
  chunks: z
    .object({ have: z.int().nonnegative(), of: z.int().positive() })
    .optional()
    .describe('How far its download is.'),
  selfTest: numbers.optional().describe('What the self-test measured.'),
  replayed: numbers.optional().describe('How it did on recorded rows.'),
  shadow: numbers.optional().describe('How it differs from the active policy beside which it runs.'),
  trial: numbers.optional().describe('How its trial on the robot goes.'),
});
export type PolicyVersion = z.output<typeof policyVersionSchema>;

/** The versions of one policy that matter now. */
export const policySlotSchema = z.looseObject({
  id: policyIdSchema,
  active: z.int().positive().nullable().describe('Version that a mode command starts; null if there is none.'),
  previous: z.int().positive().nullable().describe('Version that a rollback goes to; null if there is none.'),
});
export type PolicySlot = z.output<typeof policySlotSchema>;
