import { z } from 'zod';
import { controllerSchema, modeSchema } from './mode.ts';
import { POLICY_ACTIONS } from './policy-updates.ts';

/** Drawn at random by whoever sends a mode command; its heartbeats carry it. */
const sessionSchema = z.string().min(1).max(64);

/** What starts motion or undoes a stop; always signed, see `keys/command.ts`. */
export const commandSchema = z.discriminatedUnion('name', [
  z.strictObject({
    name: z.literal('mode'),
    mode: modeSchema,
    session: sessionSchema
      .optional()
      .describe(
        "Names the operator's heartbeats: any text that nobody else will choose. Needed for a mode that moves or explores.",
      ),
    orders: z
      .int()
      .nonnegative()
      .optional()
      .describe(
        '`orders` of the status that the sender has seen: once anybody has stopped the robot or given it a mode since, this starts nothing.',
      ),
  }),
  z
    .strictObject({ name: z.literal('reset') })
    .describe(
      "Undoes an emergency stop or a latch of the motor controller; the robot stays disarmed. After an emergency stop somebody on the robot itself has to agree first, unless it is configured otherwise: `estop.confirmation` in `state` says `wanted`, and a minute's time is left once it says `given`.",
    ),
  z
    .strictObject({
      name: z.literal('policy'),
      action: z.enum(POLICY_ACTIONS),
      id: controllerSchema,
      version: z.int().positive(),
    })
    .describe(
      '`activate`: this version takes over. `rollback`: the active version goes, and this one, which must be the `previous`, comes back. `shadow` and `unshadow`: this version runs beside the active one, or no more.',
    ),
  z
    .strictObject({ name: z.literal('record'), recording: z.boolean() })
    .describe('Starts or ends the recording. It moves nothing, but what is recorded is what policies are made of.'),
]);
export type Command = z.output<typeof commandSchema>;

/** Requests on control's socket. Stopping needs no signature; starting does. */
export const requestSchema = z.discriminatedUnion('request', [
  z.strictObject({ request: z.literal('status') }),
  z.strictObject({ request: z.literal('estop'), source: z.string().max(64) }),
  z.strictObject({ request: z.literal('disarm') }),
  z.strictObject({ request: z.literal('challenge') }),
  /** a signed `Command`, see `CommandEnvelope`; its signature is checked over its exact text */
  z.strictObject({ request: z.literal('command'), envelope: z.unknown() }),
  /** from now on events come to this connection, and rows: one connection has them at a time, the first to ask */
  z.strictObject({ request: z.literal('subscribe'), rows: z.boolean(), events: z.boolean() }),
  /** the operator is still there; `counter` rises with each */
  z.strictObject({ request: z.literal('heartbeat'), session: sessionSchema, counter: z.int().nonnegative() }),
  /** all rows up to this sequence are on disk; control need not keep them */
  z.strictObject({ request: z.literal('acknowledge'), sequence: z.int().nonnegative() }),
  /** how the gateway's recorder does; whatever it says can only warn */
  z.strictObject({ request: z.literal('recorder'), problem: z.enum(['', 'behind', 'disk-full']) }),
  /**
   * A bundle lies in this folder of `<stateDirectory>/policies/incoming`: `policy.onnx`, `manifest.json`, `manifest.sig`.
   * Answered at once; what becomes of it is in `policies` of the status, and told as `policy-update` events.
   */
  z.strictObject({
    request: z.literal('policy-vet'),
    folder: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, { error: 'must be the plain name of a folder' }),
  }),
]);
export type Request = z.output<typeof requestSchema>;

/** Why a request was not carried out: a stable code, words for people, and what to do. */
export const refusalSchema = z.strictObject({ code: z.string(), message: z.string(), remedy: z.string() });
export type Refusal = z.output<typeof refusalSchema>;

/** The three stages of an e-stop, as its sender is told them. */
export const estopStageSchema = z.enum(['received', 'latched', 'confirmed']);
export type EstopStage = z.output<typeof estopStageSchema>;

/** Every answer carries the `id` of its request. An e-stop is answered once for each stage. */
export const answerSchema = z.union([
  z.looseObject({ id: z.number(), ok: z.literal(true), stage: estopStageSchema.optional() }),
  z.strictObject({ id: z.number(), ok: z.literal(false), refusal: refusalSchema }),
]);
export type Answer = z.output<typeof answerSchema>;
