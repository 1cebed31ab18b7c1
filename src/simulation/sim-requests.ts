import { z } from 'zod';
import { DRIVE_FAULTS } from './faults/drive-fault.ts';
import { LINK_FAULTS } from './faults/link-fault.ts';
import { SENSOR_FAULTS, SENSORS } from './faults/sensor-fault.ts';

const seconds = z.number().min(0).max(3600);
const name = z.string().min(1).max(64);
/** [s] of MCU time from now until it begins; default at once */
const after = seconds.optional();
/** [s] of MCU time from its begin to its end; default until `none` or `mend` */
const forSeconds = seconds.optional();

/**
 * What breaks something, at an instant of MCU time. A fault takes the place of one of the same sensor, wheel or direction; all that is
 * random in it follows from the simulator's seed.
 */
const FAULT_REQUESTS = [
  /** a sensor fails; see `SENSOR_FAULTS` for the words and the meaning of `amount` */
  z.strictObject({
    verb: z.literal('sensor'),
    sensor: z.enum([...SENSORS, 'imu', 'all']),
    fault: z.enum([...SENSOR_FAULTS, 'none']),
    amount: z.number().optional(),
    after,
    seconds: forSeconds,
  }),
  /** the line is disturbed; see `LINK_FAULTS` */
  z.strictObject({
    verb: z.literal('link'),
    fault: z.enum([...LINK_FAULTS, 'none']),
    /** default both */
    direction: z.enum(['to-host', 'to-mcu', 'both']).optional(),
    rate: z.number().min(0).max(1).optional(),
    amount: z.number().min(0).max(1000).optional(),
    frames: z.number().int().min(1).optional(),
    after,
    seconds: forSeconds,
  }),
  /** a wheel's drive fails; see `DRIVE_FAULTS` */
  z.strictObject({
    verb: z.literal('motor'),
    side: z.enum(['left', 'right', 'both']),
    fault: z.enum([...DRIVE_FAULTS, 'none']),
    after,
    seconds: forSeconds,
  }),
  /** the ground loses its grip: friction of every contact times this */
  z.strictObject({ verb: z.literal('slip'), friction: z.number().min(0.001).max(10), after, seconds: forSeconds }),
  /** a load on the torso, so far ahead of its centre of mass [m] */
  z.strictObject({
    verb: z.literal('payload'),
    kilograms: z.number().min(0).max(50),
    forward: z.number().min(-0.5).max(0.5).optional(),
    after,
    seconds: forSeconds,
  }),
  /** the supply sags to `volts` for `sag` s, then the MCU is without power for `off` s and starts anew; with off=0 it only sags */
  z.strictObject({
    verb: z.literal('brown-out'),
    volts: z.number().min(0).max(60).optional(),
    sag: seconds.optional(),
    off: seconds.optional(),
    after,
  }),
  /** pushes the torso forward, negative: back */
  z.strictObject({ verb: z.literal('push'), newtons: z.number().min(-1000).max(1000), seconds, after }),
  /** the MCU's fault bits from then on */
  z.strictObject({ verb: z.literal('fault'), bits: z.number().int().min(0).max(0xffff), after }),
  /** resets the MCU */
  z.strictObject({ verb: z.literal('reboot'), after }),
] as const;

export const faultRequestSchema = z.discriminatedUnion('verb', FAULT_REQUESTS);
export type FaultRequest = z.output<typeof faultRequestSchema>;

/** A line on the control socket: `{"verb": "wait", "seconds": 1}`. Each is answered by one line with `ok`. */
export const simRequestSchema = z.discriminatedUnion('verb', [
  ...FAULT_REQUESTS,
  /** ends every fault, and forgets those to come */
  z.strictObject({ verb: z.literal('mend') }),
  /** somebody lifts the robot to its stance; held until the MCU is active */
  z.strictObject({ verb: z.literal('lift') }),
  /** what is true now */
  z.strictObject({ verb: z.literal('truth') }),
  /** answered after that much MCU time */
  z.strictObject({ verb: z.literal('wait'), seconds }),
  /**
   * lets that much MCU time pass where it passes only so (`--pace stepped`), and is answered then; `patience`: how long [ms] each answer
   * of the host is waited for, 10,000 by default; with 0 time passes as for a host that hangs
   */
  z.strictObject({ verb: z.literal('advance'), seconds, patience: z.number().min(0).max(600_000).optional() }),
  /** world and MCU anew, as when the process started, perhaps with another seed; the port stays */
  z.strictObject({
    verb: z.literal('restart'),
    seed: z
      .number()
      .int()
      .min(0)
      .max(2 ** 31 - 1)
      .optional(),
  }),
  /** starts a measuring window */
  z.strictObject({ verb: z.literal('mark'), name }),
  /** ground truth since the mark */
  z.strictObject({ verb: z.literal('measure'), name }),
  /** the port vanishes */
  z.strictObject({ verb: z.literal('unplug') }),
  /** and returns; the answer names it */
  z.strictObject({ verb: z.literal('replug') }),
  /** random bytes into the stream to the host */
  z.strictObject({ verb: z.literal('garbage'), bytes: z.number().int().min(1).max(100_000) }),
  /** ends the process */
  z.strictObject({ verb: z.literal('quit') }),
]);

export type SimRequest = z.output<typeof simRequestSchema>;
export type SimReply = { readonly ok: true; readonly [key: string]: unknown } | { readonly ok: false; error: string };
