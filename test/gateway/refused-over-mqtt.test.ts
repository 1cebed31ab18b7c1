import type { KeyObject } from 'node:crypto';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type CommandEnvelope, signCommand } from '../../src/keys/command.ts';
import { generateKeyPair, readPrivateKey } from '../../src/keys/key-pair.ts';
import { modelsDirectory } from '../../src/robot/robot.ts';
import { STAND } from '../harness.ts';
import type { Heard, Listener } from './listener.ts';
import { Mosquitto, noMosquitto } from './mosquitto.ts';
import { Rig, ROBOT } from './rig.ts';

const command = { name: 'mode', mode: STAND };
/** Counters rise, and those of the harness are the time of day. */
let counter = Date.now() + 1e9;

async function challengeOver(listener: Listener): Promise<string> {
  const answer = await listener.ask('challenge', {});
  if (!answer.ok || answer.challenge === undefined) throw new Error('no challenge');
  return answer.challenge;
}

const signed = (challenge: string, key: KeyObject, changes: { robot?: string; expiresInMs?: number } = {}) => {
  counter += 1;
  return signCommand({ robot: ROBOT, challenge, counter, command, ...changes }, key);
};

/** Trusted, but for bundles only. */
const releaseKey = () => readPrivateKey(join(modelsDirectory, 'keys', 'demo-release.pem'), { published: true });

async function staysPut({ robot }: Rig): Promise<void> {
  await robot.simulator.wait(0.1);
  expect((await robot.control.status()).state).toBe('disarmed');
  expect((await robot.simulator.truth()).state).toBe('idle');
}

describe.skipIf(noMosquitto)(
  'a command over MQTT that nobody trusted has signed for this robot and moment (needs mosquitto)',
  () => {
    it('is refused by reason and starts nothing', async () => {
      const broker = await Mosquitto.start();
      const rig = await Rig.start({ broker });
      const { robot } = rig;
      const listener = await rig.listener();
      await listener.state('online', ({ online }) => online);
      // Nothing but the signature is to be in the way.
      await robot.arm();
      await robot.control.disarm();
      await robot.lift();
      await robot.truth('idle', ({ state }) => state === 'idle');

      const refuses = async (body: object, code: string) => {
        const answer = await listener.ask('command', body);
        expect(answer).toMatchObject({ ok: false, refusal: { code } });
        await staysPut(rig);
      };
      await refuses({ id: 1, request: 'mode', mode: STAND }, 'malformed-request');
      await refuses({ id: 2, command }, 'malformed-request');
      const attempts: Array<[string, (challenge: string) => CommandEnvelope | Promise<CommandEnvelope>]> = [
        ['malformed-signature', (challenge) => ({ ...signed(challenge, robot.operator), signature: '' })],
        ['bad-signature', (challenge) => ({ ...signed(challenge, robot.operator), payload: JSON.stringify(command) })],
        ['unknown-key', (challenge) => signed(challenge, generateKeyPair().privateKey)],
        ['wrong-role', (challenge) => signed(challenge, releaseKey())],
        ['other-robot', (challenge) => signed(challenge, robot.operator, { robot: 'another-robot' })],
        ['challenge-unknown-or-used', () => signed(randomBytes(16).toString('base64url'), robot.operator)],
        [
          'challenge-expired',
          async (challenge) => {
            // Its signer gave it a shorter life than the ten seconds that control gives it.
            const envelope = signed(challenge, robot.operator, { expiresInMs: 1 });
            await robot.simulator.wait(0.1);
            return envelope;
          },
        ],
      ];
      for (const [code, attempt] of attempts) {
        const envelope = await attempt(await challengeOver(listener));
        await refuses({ id: code, envelope }, code);
      }

      const good = signed(await challengeOver(listener), robot.operator);
      expect(await listener.ask('command', { id: 'good', envelope: good })).toMatchObject({ ok: true });
      await robot.truth('it stands', ({ state }) => state === 'active');
      await robot.control.disarm();
      await robot.lift();
      await robot.truth('idle', ({ state }) => state === 'idle');
      await refuses({ id: 'replayed', envelope: good }, 'challenge-unknown-or-used');
    });

    it('is not even looked at when it is retained, neither at the start nor later', async () => {
      const broker = await Mosquitto.start();
      const first = await Rig.start({ broker });
      const { robot } = first;
      const listener = await first.listener();
      await listener.state('online', ({ online }) => online);
      // Good in every way: only the flag is wrong.
      const good = signed(await challengeOver(listener), robot.operator);
      const retained = { qos: 1, retain: true } as const;
      await listener.say('command', JSON.stringify({ id: 'kept', envelope: good }), retained);
      await listener.event('ignored-retained', ({ topic }) => topic === 'command');
      await listener.say('heartbeat', JSON.stringify({ session: 'kept', counter: 1 }), retained);
      await listener.say('challenge', '{}', retained);
      await staysPut(first);

      // A gateway that comes later gets all of them from the broker.
      await first.gateway?.stop();
      await listener.state('offline', ({ online }) => !online);
      const before = listener.events('ignored-retained').length;
      first.startGateway();
      await listener.state('online again', ({ online }) => online);
      expect(await listener.ask('command', { id: 'after', request: 'status' })).toMatchObject({ ok: true });
      await staysPut(first);
      const answered = ({ on, payload }: Heard) => on === 'command/response' && payload.includes('"kept"');
      expect(listener.heard.some(answered)).toBe(false);
      expect(listener.events('ignored-retained').length).toBeGreaterThan(before);
      // It would have been obeyed.
      expect(
        await listener.ask('command', { id: 'live', envelope: signed(await challengeOver(listener), robot.operator) }),
      ).toMatchObject({ ok: true });
    });
  },
);
