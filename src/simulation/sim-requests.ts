import { z } from 'zod';

const seconds = z.number().min(0).max(3600);
const name = z.string().min(1).max(64);

/** A line on the control socket: `{"verb": "wait", "seconds": 1}`. Each is answered by one line with `ok`. */
export const simRequestSchema = z.discriminatedUnion('verb', [
  /** somebody lifts the robot to its stance; held until the MCU is active */
  z.strictObject({ verb: z.literal('lift') }),
  /** what is true now */
  z.strictObject({ verb: z.literal('truth') }),
  /** answered after that much MCU time */
  z.strictObject({ verb: z.literal('wait'), seconds }),
  /** starts a measuring window */
  z.strictObject({ verb: z.literal('mark'), name }),
  /** ground truth since the mark */
  z.strictObject({ verb: z.literal('measure'), name }),
  /** the MCU's fault bits from now on */
  z.strictObject({ verb: z.literal('fault'), bits: z.number().int().min(0).max(0xffff) }),
  /** the port vanishes */
  z.strictObject({ verb: z.literal('unplug') }),
  /** and returns; the answer names it */
  z.strictObject({ verb: z.literal('replug') }),
  /** random bytes into the stream to the host */
  z.strictObject({ verb: z.literal('garbage'), bytes: z.number().int().min(1).max(100_000) }),
  /** pushes the torso forward, negative: back */
  z.strictObject({ verb: z.literal('push'), newtons: z.number().min(-1000).max(1000), seconds }),
  /** resets the MCU */
  z.strictObject({ verb: z.literal('reboot') }),
  /** ends the process */
  z.strictObject({ verb: z.literal('quit') }),
]);

export type SimRequest = z.output<typeof simRequestSchema>;
export type SimReply = { readonly ok: true; readonly [key: string]: unknown } | { readonly ok: false; error: string };
