import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import type { ChallengeBook } from './challenge-book.ts';
import { domains, type SignatureProblem, sign, verify } from './signature.ts';
import type { TrustStore } from './trust-store.ts';

/** A command on its way: the exact text that was signed, by whom, and the signature (base64). */
export interface CommandEnvelope {
  readonly payload: string;
  readonly keyId: string;
  readonly signature: string;
}

/** What the signed text says, as JSON. */
export interface CommandPayload<C> {
  /** name of the robot that is meant */
  readonly robot: string;
  /** that the robot issued a moment ago */
  readonly challenge: string;
  /** above every earlier one of this key */
  readonly counter: number;
  /** void this long after the challenge was issued, if shorter than its life [ms] */
  readonly expiresInMs?: number;
  readonly command: C;
}

/** JSON of the text that is signed, as `CommandPayload`; the descriptions are for clients that are not ours. */
export const commandPayloadSchema = <S extends z.ZodType>(command: S) =>
  z.strictObject({
    robot: z.string().describe('Name of the robot that is meant; any other refuses it.'),
    challenge: z.string().describe('That the robot issued a moment ago, exactly as it came. Each serves once.'),
    counter: z
      .int()
      .nonnegative()
      .describe('Above every one that was accepted from this key before: milliseconds since 1970 will do.'),
    expiresInMs: z
      .number()
      .positive()
      .optional()
      .describe('Void this long after the challenge was issued, if shorter than the life of the challenge [ms].'),
    command,
  });

/** Why a command was not accepted; stable, for callers and tests. */
export type CommandProblem =
  | SignatureProblem
  | 'malformed-envelope'
  | 'malformed-payload'
  | 'other-robot'
  | 'challenge-unknown-or-used'
  | 'challenge-expired'
  | 'counter-not-above-last'
  | 'counter-not-stored';

export type CommandVerdict<C> =
  | { readonly ok: true; readonly command: C; readonly keyId: string; readonly counter: number }
  | { readonly ok: false; readonly reason: CommandProblem };

/** Last accepted counter of each key. A `Map` will do where a restart may forget it; `set` may throw if it cannot keep it. */
export interface CounterMemory {
  get(keyId: string): number | undefined;
  set(keyId: string, counter: number): unknown;
}

export interface CommandVerifierOptions<C> {
  /** name of this robot */
  readonly robot: string;
  readonly trust: TrustStore;
  readonly challenges: ChallengeBook;
  readonly counters: CounterMemory;
  /** what a command may say */
  readonly command: z.ZodType<C>;
}

/** A command is a few hundred bytes; whatever is much longer is not looked at. */
const mostPayload = 4096;

const envelopeSchema = z.strictObject({
  payload: z.string().max(mostPayload),
  keyId: z.string().max(64),
  signature: z.string().max(256),
});

/** Signs a command, for clients. */
export function signCommand<C>(payload: CommandPayload<C>, privateKey: KeyObject): CommandEnvelope {
  const text = JSON.stringify(payload);
  return { payload: text, ...sign(domains.command, Buffer.from(text), privateKey) };
}

/** Decides, on the robot, whether a command may be carried out. Asks in this order; the first no is the answer. */
export class CommandVerifier<C> {
  readonly #options: CommandVerifierOptions<C>;
  readonly #payloadSchema;

  constructor(options: CommandVerifierOptions<C>) {
    this.#options = options;
    this.#payloadSchema = commandPayloadSchema(options.command);
  }

  /** Never throws, whatever it is given. */
  verify(envelope: unknown): CommandVerdict<C> {
    const { robot, trust, challenges, counters } = this.#options;

    const envelopeParsed = envelopeSchema.safeParse(envelope);
    if (!envelopeParsed.success) return refuse('malformed-envelope');
    const { payload, keyId, signature } = envelopeParsed.data;
    const bytes = Buffer.from(payload);
    // Half a surrogate pair becomes U+FFFD in the bytes: the text that is parsed would not be the one that was signed.
    if (bytes.toString() !== payload) return refuse('malformed-envelope');

    const verified = verify(domains.command, bytes, { keyId, signature }, trust, 'operator');
    if (!verified.ok) return refuse(verified.reason);

    const said = this.#parse(payload);
    if (!said) return refuse('malformed-payload');

    if (said.robot !== robot) return refuse('other-robot');

    const redemption = challenges.redeem(said.challenge, said.expiresInMs);
    if (redemption !== 'ok') return refuse(`challenge-${redemption}`);

    try {
      if (said.counter <= (counters.get(keyId) ?? -1)) return refuse('counter-not-above-last');
      counters.set(keyId, said.counter);
    } catch {
      // A counter that the disk lost would be accepted again after a restart.
      return refuse('counter-not-stored');
    }
    return { ok: true, command: said.command, keyId, counter: said.counter };
  }

  #parse(payload: string) {
    try {
      const parsed = this.#payloadSchema.safeParse(JSON.parse(payload));
      return parsed.success ? parsed.data : undefined;
    } catch {
      return undefined;
    }
  }
}

const refuse = (reason: CommandProblem): { readonly ok: false; readonly reason: CommandProblem } => ({
  ok: false,
  reason,
});
