import { z } from 'zod';
import { taskNames } from '../../robot/tasks/tasks.ts';

/** What the index says of a segment. */
export const storedSegmentSchema = z.object({
  /** of the file, hexadecimal; also its name */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** name of the robot that it came from */
  robot: z.string(),
  /** file name that it had there */
  segment: z.string(),
  /** length of the file */
  bytes: z.int().min(1),
  /** transitions in it */
  rows: z.int().nonnegative(),
  /** tasks of its rows */
  tasks: z.array(z.enum(taskNames)),
  /** wall clock of the first and last message, the robot's [ms since 1970] */
  from: z.number().nullable(),
  to: z.number().nullable(),
  /** when it was stored, our wall clock [ms since 1970] */
  at: z.number(),
});
export type StoredSegment = z.output<typeof storedSegmentSchema>;

/** What was put aside, because it was whole and could not be read all the same. */
export const quarantinedSchema = z.object({
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  robot: z.string(),
  segment: z.string(),
  reason: z.string(),
  at: z.number(),
});
export type Quarantined = z.output<typeof quarantinedSchema>;
