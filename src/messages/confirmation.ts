import { z } from 'zod';
import { type Refusal, refusalSchema } from './requests.ts';

/**
 * What is said on the socket on which a reset is confirmed: control begins with the stop that is in force, then comes one
 * request and one answer. It lies in a folder of the runtime directory that only control's own user may enter.
 */
export const CONFIRMATION_FOLDER = 'own';
export const CONFIRMATION_SOCKET = 'confirm.sock';

/** The stop that is in force, for the person who is to agree that it is undone. */
export const stopSeenSchema = z.strictObject({
  latched: z.boolean(),
  /** counts the stops of this run of control */
  stop: z.int().nonnegative(),
  source: z.string(),
  wanted: z.boolean(),
});
export type StopSeen = z.output<typeof stopSeenSchema>;

export const confirmationRequestSchema = z.strictObject({
  /** `stop` that was seen on this connection */
  confirm: z.int().nonnegative(),
});

export const confirmationAnswerSchema = z.discriminatedUnion('ok', [
  z.strictObject({ ok: z.literal(true) }),
  z.strictObject({ ok: z.literal(false), refusal: refusalSchema }),
]);

export const confirmationAnswerOf = (refusal: Refusal | undefined): z.output<typeof confirmationAnswerSchema> =>
  refusal ? { ok: false, refusal } : { ok: true };
