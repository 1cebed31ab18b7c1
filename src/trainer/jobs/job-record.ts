import { z } from 'zod';
import { MQTT_SCHEMA } from '../../messages/mqtt-payloads.ts';
import {
  gateVerdict,
  JOB_CAUSES,
  JOB_OUTCOMES,
  JOB_STAGES,
  jobData,
  type TrainerResult,
} from '../../messages/mqtt-trainer.ts';
import { policyIdSchema, sha256Schema } from '../../messages/policy-stages.ts';
import { taskNames } from '../../robot/tasks/tasks.ts';
import { taskSettingsSchema } from '../config.ts';

/** `jobs/{id}/job.json`: everything that a job goes on from, whatever happened to the process. */
export const jobRecordSchema = z.object({
  format: z.literal(1),
  /** rises from job to job, of whatever task */
  number: z.int().positive(),
  id: z.string(),
  task: z.enum(taskNames),
  cause: z.enum(JOB_CAUSES),
  /** ids of the orders that it carries out */
  orders: z.array(z.union([z.string(), z.number()])),
  /** wall clock [ms since 1970] */
  created: z.number(),
  /** as they were when it began; a changed configuration is for the next job */
  settings: taskSettingsSchema,
  robot: z.string(),
  seed: z.int(),
  /** the segments themselves stand in `segments.json` beside it */
  data: jobData,
  policy: z.object({ id: policyIdSchema, version: z.int().positive() }),
  stage: z.enum(JOB_STAGES),
  /** when it came to its stage, wall clock [ms since 1970] */
  since: z.number(),
  /** how often training was begun or taken up again */
  attempt: z.int().nonnegative(),
  /** gradient steps that were made */
  steps: z.int().nonnegative(),
  /** folder of the policy that goes to the gate, within that of the job; null before there is one */
  trained: z.string().nullable(),
  gate: gateVerdict.nullable(),
  /** null while it is worked on */
  end: z
    .object({
      outcome: z.enum(JOB_OUTCOMES),
      reason: z.string(),
      at: z.number(),
      /** the same again with another seed may work */
      again: z.boolean(),
      /** of the model that was published */
      sha256: sha256Schema.nullable(),
      offeredTo: z.array(z.string()),
    })
    .nullable(),
});
export type JobRecord = z.output<typeof jobRecordSchema>;
export type JobEnd = NonNullable<JobRecord['end']>;

/** `jobs/{id}/segments.json` */
export const jobSegmentsSchema = z.array(
  z.object({ sha256: sha256Schema, file: z.string(), robot: z.string(), rows: z.int().nonnegative() }),
);
export type JobSegments = z.output<typeof jobSegmentsSchema>;

/** What is told of a job that has ended. */
export function resultOf(job: JobRecord, end: JobEnd, trainer: string): TrainerResult {
  return {
    schema: MQTT_SCHEMA,
    at: end.at,
    trainer,
    job: job.id,
    task: job.task,
    algorithm: job.settings.algorithm,
    cause: job.cause,
    outcome: end.outcome,
    reason: end.reason,
    data: job.data,
    seed: job.seed,
    steps: job.steps,
    attempts: job.attempt,
    gate: job.gate,
    policy: end.sha256 === null ? null : { ...job.policy, sha256: end.sha256 },
    offeredTo: end.offeredTo,
  };
}
