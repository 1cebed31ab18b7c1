import { z } from 'zod';
import { taskNames } from '../robot/tasks/tasks.ts';
import { MQTT_SCHEMA } from './mqtt-payloads.ts';
import { POLICY_STAGES, policyIdSchema, sha256Schema } from './policy-stages.ts';
import { refusalSchema } from './requests.ts';

/** What a trainer tells and what it is told, under `h2o/v1/trainer/{id}/`. */

/** Steps of a job, in order. Whatever happens, it goes on from the step that it was at. */
export const JOB_STAGES = ['preparing', 'training', 'evaluating', 'signing'] as const;
export type JobStage = (typeof JOB_STAGES)[number];

/** How a job ends. */
export const JOB_OUTCOMES = ['published', 'not-good-enough', 'failed', 'cancelled'] as const;
export type JobOutcome = (typeof JOB_OUTCOMES)[number];

/** Why a job was started. */
export const JOB_CAUSES = ['new-rows', 'order'] as const;

const schema = z.literal(MQTT_SCHEMA).describe('Version of the payload.');
const at = z.number().describe("When it was made [ms since 1970, trainer's wall clock].");
const since = z.number().describe("[ms since 1970, trainer's wall clock]");
const task = z.enum(taskNames);
const robot = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, { error: 'lower case letters, digits and "-", at most 32' });
const version = z.int().positive();
const jobId = z.string().min(1).max(96);

// --- to the trainer -------------------------------------------------------------------------------------------------

const orderId = z
  .union([z.string().max(64), z.number()])
  .describe('Chosen by the sender; the answer repeats it. The same id again is the same order and does nothing new.');

export const trainerOrder = z.discriminatedUnion('do', [
  z
    .strictObject({ schema, id: orderId, do: z.literal('train'), task })
    .describe('Trains the task with the data that there are, however new, as soon as no other job runs.'),
  z
    .strictObject({ schema, id: orderId, do: z.literal('cancel'), task })
    .describe(
      'Ends the job of the task, or takes it out of the queue; new rows start it again only when there are enough since then.',
    ),
  z
    .strictObject({
      schema,
      id: orderId,
      do: z.literal('offer'),
      policy: policyIdSchema,
      version: version.optional().describe('Default: the newest that was published.'),
      robots: z.array(robot).max(256).optional().describe('Default: as configured.'),
    })
    .describe('Offers a policy that passed the gate once more, to these robots too.'),
]);
export type TrainerOrder = z.output<typeof trainerOrder>;

// --- from the trainer -----------------------------------------------------------------------------------------------

const orderAnswerId = z.union([z.string(), z.number()]).nullable();

export const trainerResponse = z.discriminatedUnion('ok', [
  z.object({
    schema,
    id: orderAnswerId.describe('Of the order.'),
    ok: z.literal(true),
    says: z.string().describe('What will be done, in words.'),
  }),
  z.object({
    schema,
    id: orderAnswerId.describe('Of the order; null when it could not be read.'),
    ok: z.literal(false),
    refusal: refusalSchema.describe('Why not: a stable code, words for people, and what to do.'),
  }),
]);
export type TrainerResponse = z.output<typeof trainerResponse>;

const policyRef = z.object({ id: policyIdSchema, version, sha256: sha256Schema });

const scores = z
  .record(z.string(), z.number().nullable())
  .describe('As in `evaluate --json`: meanReturn, survivalMean, survivalMin [s], maxAbsX [m], rmsSpeedError [m/s], …');

/** How a new policy was judged. */
export const gateVerdict = z.object({
  passed: z.boolean(),
  checks: z
    .array(
      z.object({
        gap: z.string().describe('Where it was evaluated: `simulator`, `twin`, or `twin` with a gap.'),
        what: z.string().describe('Which number was looked at.'),
        against: z
          .enum(['threshold', 'previous'])
          .describe('An absolute bound, or the policy before it, on the same seeds.'),
        measured: z.number().nullable().describe('Null: no number, which never passes.'),
        bound: z.number().describe('What it had to reach, or to stay below.'),
        passed: z.boolean(),
      }),
    )
    .describe('Every comparison that was made.'),
  evaluations: z
    .array(
      z.object({ gap: z.string(), seeds: z.int().describe('Episodes.'), policy: scores, previous: scores.nullable() }),
    )
    .describe('What was measured.'),
});
export type GateVerdict = z.output<typeof gateVerdict>;

/** What a policy was learnt from. */
export const jobData = z.object({
  sha256: sha256Schema.describe('Over the sorted sums of the segments: the same data have the same sum.'),
  segments: z.int().nonnegative(),
  rows: z.int().nonnegative(),
  robots: z.array(z.string()),
});
export type JobData = z.output<typeof jobData>;

/** `result`: how the last job ended. */
export const trainerResult = z.object({
  schema,
  at,
  trainer: z.string(),
  job: jobId,
  task,
  algorithm: z.string(),
  cause: z.enum(JOB_CAUSES),
  outcome: z.enum(JOB_OUTCOMES),
  reason: z.string().describe('Why nothing was published, with the remedy; empty if a policy was.'),
  data: jobData.nullable().describe('Null if it ended before its data were chosen.'),
  seed: z.int(),
  steps: z.int().nonnegative().describe('Gradient steps that were made.'),
  attempts: z.int().nonnegative().describe('How often training was begun or taken up again.'),
  gate: gateVerdict.nullable().describe('Null if it did not come that far.'),
  policy: policyRef.nullable().describe('What was published.'),
  offeredTo: z.array(z.string()).describe('Robots.'),
});
export type TrainerResult = z.output<typeof trainerResult>;

/** What is known of one robot and one offered policy. */
const robotOffer = z.object({
  robot: z.string(),
  stage: z
    .enum([...POLICY_STAGES, 'unheard'])
    .describe('As its `policy/status` says; `unheard`: it has not spoken of this version yet.'),
  reasons: z.array(z.string()),
  chunksSent: z.int().nonnegative(),
});

const onlineTrainer = z.object({
  schema,
  online: z.literal(true),
  at,
  trainer: z.string(),
  revision: z.string().describe('Version of h2o-edge.'),
  job: z
    .object({
      id: jobId,
      task,
      algorithm: z.string(),
      cause: z.enum(JOB_CAUSES),
      stage: z.enum(JOB_STAGES),
      since: since.describe("When it came to this stage [ms since 1970, trainer's wall clock]."),
      attempt: z.int().positive().describe('How often training was begun or taken up again.'),
      policy: z.object({ id: policyIdSchema, version }).describe('What it will be called if it is good enough.'),
      step: z.int().nonnegative().describe('Gradient steps so far.'),
      steps: z.int().positive(),
      losses: z.record(z.string(), z.number().nullable()).describe('From the latest line of metrics.'),
    })
    .nullable()
    .describe('What is worked on; null if nothing is.'),
  queue: z
    .array(z.object({ task, cause: z.enum(JOB_CAUSES), since, problem: z.string(), notBefore: z.number().nullable() }))
    .describe('What comes next. `problem`: why it did not work out before, then it is tried again at `notBefore`.'),
  stock: z
    .array(
      z.object({
        task,
        rows: z.int().nonnegative(),
        segments: z.int().nonnegative(),
        newRows: z.int().nonnegative().describe('Since the last job of the task.'),
        wantsRows: z.int().nonnegative().describe('How many more have to come before it is trained by itself.'),
        robots: z.record(z.string(), z.int()).describe('Rows by robot.'),
      }),
    )
    .describe('Data by task.'),
  offers: z
    .array(policyRef.extend({ robots: z.array(robotOffer) }))
    .describe('Policies that robots may have, and what they say of them.'),
  refusals: z
    .array(z.object({ at, what: z.string(), why: z.string() }))
    .describe('The latest orders, requests and data that were not accepted, newest first.'),
  problem: z.string().describe('What keeps it from working; empty if nothing does.'),
});

const offlineTrainer = z.object({
  schema,
  online: z.literal(false),
  at,
  problem: z.string().describe('Why nothing is known of it.'),
});

/** `state`: what a trainer does, at every change and every few seconds; as last will `online: false`. */
export const trainerState = z.discriminatedUnion('online', [onlineTrainer, offlineTrainer]);
export type TrainerState = z.output<typeof trainerState>;
export type OnlineTrainer = z.output<typeof onlineTrainer>;
