import { z } from 'zod';
import { taskNames } from '../robot/tasks/tasks.ts';
import { CHUNK_BYTES } from './bulk/chunk-map.ts';
import { MQTT_SCHEMA } from './mqtt-payloads.ts';

/**
 * Payloads of the upload of datasets. A robot offers a sealed segment to all trainers; one of them claims it, gets it in
 * chunks, and acknowledges it once it is stored for good. Both sides may lose anything at any time and go on.
 */

const schema = z.literal(MQTT_SCHEMA).describe('Version of the payload.');
const robot = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,31}$/)
  .describe('Name of the robot.');
const trainer = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,31}$/)
  .describe('Name of the trainer, as in `h2o/v1/trainer/{trainer}/…`.');
const segment = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,31}-[0-9a-f]{16}-\d{12,20}(\.\d{1,6})?\.mcap$/)
  .describe('File name of the sealed segment.');
const sha256 = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .describe('Of the whole segment, hexadecimal.');
const bytes = z.int().min(1).max(2_000_000_000).describe('Length of the segment [bytes].');
const rows = z.int().nonnegative();

/** Chunks may be no shorter: a claim says of each whether it is there [bytes]. */
export const LEAST_CHUNK_BYTES = 16 * 1024;

export const datasetOffer = z.object({
  schema,
  robot,
  segment,
  bytes,
  rows: rows.describe('Transitions in it.'),
  sha256,
  chunkBytes: z.int().min(LEAST_CHUNK_BYTES).max(CHUNK_BYTES).describe('Length of every chunk but the last [bytes].'),
  chunks: z.int().min(1).describe('How many chunks it makes.'),
  boot: z.string().describe('Run of `control` that made its rows, hexadecimal.'),
  from: z.number().nullable().describe('Wall clock of its first message [ms since 1970].'),
  to: z.number().nullable().describe('Wall clock of its last message [ms since 1970].'),
  tasks: z.array(z.enum(taskNames)).describe('Tasks of its rows.'),
});
export type DatasetOffer = z.output<typeof datasetOffer>;

/** Longest time for which a segment can be claimed at once [s]. */
export const LONGEST_CLAIM = 600;

export const datasetClaim = z.strictObject({
  schema,
  trainer,
  segment,
  sha256,
  have: z
    .base64()
    .max(12_000)
    .describe('A bit for each chunk, the lowest of the first byte first: set = it is there and need not be sent.'),
  seconds: z
    .number()
    .min(0)
    .max(LONGEST_CLAIM)
    .describe('For how long nobody else gets it, from now on [s]. 0 gives it back.'),
  problem: z
    .string()
    .max(500)
    .optional()
    .describe('With `seconds` 0: why this trainer will not have it, for example that it does not read as a whole.'),
});
export type DatasetClaim = z.output<typeof datasetClaim>;

/** User properties of a chunk: texts. */
export const datasetChunkProperties = z.object({
  segment,
  n: z
    .string()
    .regex(/^\d{1,6}$/)
    .describe('Number of the chunk, from 0.'),
  crc32: z
    .string()
    .regex(/^[0-9a-f]{8}$/)
    .describe('CRC-32 (ISO-HDLC) of the payload, hexadecimal.'),
  sha256,
});
export type DatasetChunkProperties = z.output<typeof datasetChunkProperties>;

export const datasetAcknowledge = z.strictObject({
  schema,
  trainer,
  segment,
  sha256,
  rows: rows.describe('Transitions that were read from it.'),
});
export type DatasetAcknowledge = z.output<typeof datasetAcknowledge>;

export const UPLOAD_STATES = ['off', 'waiting', 'offering', 'sending', 'nothing-left'] as const;

export const datasetStatus = z.object({
  schema,
  at: z.number().describe("When it was made [ms since 1970, robot's wall clock]."),
  state: z
    .enum(UPLOAD_STATES)
    .describe(
      '`off` = the gateway does not run or has no connection; `waiting` = something is in the way, see `problem`; `offering` = waits for a trainer to claim; `sending`; `nothing-left` = every sealed segment is acknowledged or refused.',
    ),
  problem: z.string().describe('Why nothing moves; empty if nothing is in the way.'),
  waiting: z
    .object({ segments: z.int(), bytes: z.number() })
    .nullable()
    .describe('Sealed segments that nobody has acknowledged, and their length together [bytes]; null: not known.'),
  sending: z
    .object({
      segment,
      trainer: trainer.nullable().describe('Who has claimed it; null while nobody has.'),
      chunks: z.int(),
      there: z.int().describe('Chunks that the trainer has confirmed to hold.'),
    })
    .nullable()
    .describe('What is offered or sent now.'),
  acknowledged: z
    .object({
      segments: z.int().describe('Since the gateway started.'),
      last: z.object({ segment, trainer, sha256, at: z.number() }).nullable(),
    })
    .describe('What trainers have confirmed to hold.'),
  refused: z
    .array(z.object({ segment, by: z.string().describe('A trainer, or `robot`.'), problem: z.string() }))
    .describe('Sealed segments that are not uploaded, and why; the latest of them.'),
});
export type DatasetStatus = z.output<typeof datasetStatus>;

/** What robots read of a trainer's state: whether there is anybody to offer something to. */
export const trainerPresence = z.looseObject({
  schema,
  online: z.boolean().describe('False also as the last will.'),
});
