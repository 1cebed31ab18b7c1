import { z } from 'zod';
import { modeSchema } from './mode.ts';
import { policyVersionSchema } from './policy-updates.ts';
import { actionSchema, robotStateSchema } from './states.ts';

const histogramSchema = z.strictObject({
  count: z.number(),
  p50: z.number(),
  p99: z.number(),
  p999: z.number(),
  max: z.number(),
});

/** Where the delay from sampling to torque goes and what the robot's unstable pole leaves [ms]; see safety/delay-budget.ts. */
const delaySchema = z.strictObject({
  rate: z.number(),
  unstablePole: z.number(),
  tolerable: z.number(),
  interruption: z.number(),
  shares: z.array(z.strictObject({ id: z.string(), ms: z.number(), source: z.string() })),
  spent: z.number(),
  watchdog: z.number(),
  /** the p99.9 latency, and the latest answers that it is taken over */
  p999: z.number(),
  samples: z.number(),
  findings: z.array(
    z.strictObject({
      id: z.string(),
      verdict: z.enum(['pass', 'warn', 'fail']),
      found: z.string(),
      remedy: z.string(),
    }),
  ),
  /** what does not fit refuses arming */
  enforced: z.boolean(),
});
/** What a reset of the stop in force still wants besides a signature. */
export const resetConfirmationSchema = z.enum(['not-wanted', 'wanted', 'given']);
export type ResetConfirmationState = z.output<typeof resetConfirmationSchema>;

/** The last entry of an audit log. */
export const auditHeadSchema = z.strictObject({ index: z.number(), hash: z.string() });

/** What `control` knows of itself and the robot. Numbers that are not known are null. */
export const statusSchema = z.strictObject({
  name: z.string(),
  robot: z.string(),
  revision: z.string(),
  pid: z.number(),
  uptimeSeconds: z.number(),
  /** scheduling in force, read from the kernel, not what was asked for */
  scheduling: z.strictObject({ policy: z.string(), priority: z.number() }),
  state: robotStateSchema,
  mode: modeSchema,
  /** active conditions of the failsafe table, in its order */
  reasons: z.array(
    z.strictObject({ id: z.string(), action: actionSchema, says: z.string(), clears: z.string(), remedy: z.string() }),
  ),
  /** limits that acted on the latest command */
  limits: z.array(z.string()),
  estop: z.strictObject({
    latched: z.boolean(),
    source: z.string(),
    onDisk: z.boolean(),
    problem: z.string(),
    /** whether somebody on the robot has to agree, or has, that it is undone */
    confirmation: resetConfirmationSchema,
  }),
  mcu: z.strictObject({
    session: z.string(),
    peer: z.string(),
    state: z.string(),
    faults: z.array(z.string()),
    latchCause: z.string(),
    sensorRate: z.number().nullable(),
    measuredRate: z.number().nullable(),
    /** host's monotonic clock − MCU's, and how far off that may be [µs]; PROTOCOL.md §10 */
    clock: z.strictObject({ offset: z.number(), uncertainty: z.number() }).nullable(),
  }),
  /** the latest estimate, SI units; null before the first frame, and while one of its numbers is not known */
  estimate: z
    .strictObject({
      x: z.number(),
      v: z.number(),
      pitch: z.number(),
      pitchRate: z.number(),
      tilt: z.number(),
      torque: z.number(),
      battery: z.number(),
    })
    .nullable(),
  /** arrival of a sensor frame to the write of its answer [µs] */
  latencyUs: histogramSchema,
  delay: delaySchema.nullable(),
  counters: z.record(z.string(), z.number()),
  /** control's own connection to the broker, on which stops come; null where no broker is configured */
  broker: z.strictObject({ state: z.string(), problem: z.string() }).nullable(),
  /** the configuration's stop inputs */
  stopInputs: z.array(
    z.strictObject({
      path: z.string(),
      kind: z.string(),
      open: z.boolean(),
      /** why it cannot be read; empty if it can */
      problem: z.string(),
      /** buttons that are held down */
      held: z.array(z.number()),
      /** presses that stopped */
      stops: z.number(),
    }),
  ),
  /** the end of the audit log on disk, for somebody else to keep: without it nobody can tell that it was cut */
  audit: z.strictObject({
    head: auditHeadSchema.nullable(),
    /** entries that the disk was too slow for */
    dropped: z.number(),
    /** why entries are not on disk; empty if they are */
    problem: z.string(),
  }),
  link: z.strictObject({ path: z.string(), open: z.boolean(), lastProblem: z.string() }),
  controllers: z.array(z.strictObject({ id: z.string(), task: z.string(), rate: z.number() })),
  refusedPolicies: z.record(z.string(), z.string()),
  /** versions of policies, by id, newest first; one of each id is active at most */
  policies: z.array(policyVersionSchema),
});
export type Status = z.output<typeof statusSchema>;
