import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ChallengeBook } from './challenge-book.ts';
import { type CommandEnvelope, type CommandPayload, CommandVerifier, signCommand } from './command.ts';
import { generateKeyPair, keyId } from './key-pair.ts';
import { domains, sign } from './signature.ts';
import { trustEntry, trustStoreOf } from './trust-store.ts';

const operator = generateKeyPair();
const release = generateKeyPair();
const stranger = generateKeyPair();
const trust = trustStoreOf([
  trustEntry(operator.publicKey, 'operator', 'Anna'),
  trustEntry(release.publicKey, 'release', 'build'),
]);

let time: number;
let challenges: ChallengeBook;
let counters: Map<string, number>;
let verifier: CommandVerifier<{ name: 'reset' }>;

beforeEach(() => {
  time = 0;
  challenges = new ChallengeBook({ now: () => time, random: randomBytes, capacity: 4096 });
  counters = new Map();
  verifier = new CommandVerifier({
    robot: 'h2o-1',
    trust,
    challenges,
    counters,
    command: z.strictObject({ name: z.literal('reset') }),
  });
});

const payload = (changes: Partial<CommandPayload<unknown>> = {}): CommandPayload<unknown> => ({
  robot: 'h2o-1',
  challenge: challenges.issue().challenge,
  counter: 7,
  command: { name: 'reset' },
  ...changes,
});
const envelope = (changes: Partial<CommandPayload<unknown>> = {}, key = operator): CommandEnvelope =>
  signCommand(payload(changes), key.privateKey);

const signText = (text: string): CommandEnvelope => ({
  payload: text,
  ...sign(domains.command, Buffer.from(text), operator.privateKey),
});

describe('a signed command', () => {
  it('is accepted from a trusted operator who answers the challenge', () => {
    expect(verifier.verify(envelope())).toEqual({
      ok: true,
      command: { name: 'reset' },
      keyId: keyId(operator.publicKey),
      counter: 7,
    });
  });

  it('is refused when it comes a second time', () => {
    const once = envelope();
    expect(verifier.verify(once)).toMatchObject({ ok: true });
    expect(verifier.verify(once)).toEqual({ ok: false, reason: 'challenge-unknown-or-used' });
  });

  it.each([
    ['another robot', () => envelope({ robot: 'h2o-2' }), 'other-robot'],
    ['a release key', () => envelope({}, release), 'wrong-role'],
    ['a stranger', () => envelope({}, stranger), 'unknown-key'],
    [
      'a stranger who gives a trusted name',
      () => ({ ...envelope({}, stranger), keyId: keyId(operator.publicKey) }),
      'bad-signature',
    ],
    ['a challenge of its own', () => envelope({ challenge: 'AAAAAAAAAAAAAAAAAAAAAA' }), 'challenge-unknown-or-used'],
    ['a command that does not exist', () => envelope({ command: { name: 'fly' } }), 'malformed-payload'],
    ['a counter that is no whole number', () => envelope({ counter: 1.5 }), 'malformed-payload'],
    ['a field too many', () => signText(JSON.stringify({ ...payload(), extra: 1 })), 'malformed-payload'],
    ['text that is no JSON', () => signText('{'), 'malformed-payload'],
    ['half a character', () => signText('"\ud800"'), 'malformed-envelope'],
    ['a payload beyond all measure', () => signText(' '.repeat(5000)), 'malformed-envelope'],
    [
      'the signature of a bundle over the same bytes',
      () => {
        const { payload: text } = envelope();
        return { payload: text, ...sign(domains.bundle, Buffer.from(text), operator.privateKey) };
      },
      'bad-signature',
    ],
  ])('is refused with %s', (_name, make, reason) => {
    expect(verifier.verify(make())).toEqual({ ok: false, reason });
  });

  it('is refused when it comes too late', () => {
    const slow = envelope();
    const hurried = envelope({ expiresInMs: 500 });
    time = 501;
    expect(verifier.verify(hurried)).toEqual({ ok: false, reason: 'challenge-expired' });
    time = 10_001;
    expect(verifier.verify(slow)).toEqual({ ok: false, reason: 'challenge-expired' });
  });

  it('is refused unless its counter is above the last one of its key', () => {
    counters.set(keyId(operator.publicKey), 7);
    expect(verifier.verify(envelope({ counter: 7 }))).toEqual({ ok: false, reason: 'counter-not-above-last' });
    expect(verifier.verify(envelope({ counter: 8 }))).toMatchObject({ ok: true });
    expect(counters.get(keyId(operator.publicKey))).toBe(8);
  });

  it('is refused when its counter cannot be kept', () => {
    counters.set = () => {
      throw new Error('disk full');
    };
    expect(verifier.verify(envelope())).toEqual({ ok: false, reason: 'counter-not-stored' });
  });

  it('leaves challenge and counter alone when it is not from an operator for this robot', () => {
    const { challenge } = challenges.issue();
    verifier.verify(envelope({ challenge }, stranger));
    verifier.verify(envelope({ challenge, robot: 'h2o-2' }));
    expect(counters.size).toBe(0);
    expect(verifier.verify(envelope({ challenge }))).toMatchObject({ ok: true });
  });
});

describe('whatever arrives', () => {
  it('is refused with any character of the envelope changed', () => {
    const fields = ['payload', 'keyId', 'signature'] as const;
    fc.assert(
      fc.property(
        fc.constantFrom(...fields),
        fc.nat(),
        fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
        (field, where, other) => {
          const good = envelope();
          const at = where % good[field].length;
          const text = good[field].slice(0, at) + other + good[field].slice(at + 1);
          fc.pre(text !== good[field]);
          expect(verifier.verify({ ...good, [field]: text })).toMatchObject({ ok: false });
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('is refused with anything added to a field or cut from it', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('payload', 'keyId', 'signature'),
        fc.string({ minLength: 1 }),
        fc.boolean(),
        (field, more, before) => {
          const good: Record<string, string> = { ...envelope() };
          const text = good[field] ?? '';
          expect(verifier.verify({ ...good, [field]: before ? more + text : text + more })).toMatchObject({
            ok: false,
          });
          expect(verifier.verify({ ...good, [field]: before ? text.slice(1) : text.slice(0, -1) })).toMatchObject({
            ok: false,
          });
        },
      ),
    );
  });

  it('never throws', () => {
    const refused = (whatever: unknown) => {
      expect(verifier.verify(whatever)).toMatchObject({ ok: false });
    };
    fc.assert(fc.property(fc.anything(), refused));
    fc.assert(fc.property(fc.json(), (text) => refused(signText(text))));
    fc.assert(fc.property(fc.record({ payload: fc.string(), keyId: fc.string(), signature: fc.string() }), refused));
  });
});
