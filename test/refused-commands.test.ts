import type { KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type CommandEnvelope, signCommand } from '../src/keys/command.ts';
import { generateKeyPair, readPrivateKey } from '../src/keys/key-pair.ts';
import { modelsDirectory } from '../src/robot/robot.ts';
import { RawConnection, STAND, TestRobot } from './harness.ts';

const command = { name: 'mode', mode: STAND };
/** Counters rise, and those of the harness are the time of day. */
let counter = Date.now() + 1e9;

/** A fresh connection with a challenge of its own. */
async function challenged(robot: TestRobot) {
  const connection = await RawConnection.to(robot);
  const { challenge, robot: name } = await connection.ask({ request: 'challenge' });
  const signed = (key: KeyObject, changes: { robot?: string } = {}) => {
    counter += 1;
    return signCommand({ robot: String(name), challenge: String(challenge), counter, command, ...changes }, key);
  };
  return { signed, send: (envelope: unknown) => connection.ask({ request: 'command', envelope }) };
}

const refusal = (code: string) => expect.objectContaining({ ok: false, refusal: expect.objectContaining({ code }) });

it('commands that nobody trusted has signed for this robot and this moment are refused by reason and start nothing', async () => {
  const robot = await TestRobot.start();
  const staysPut = async () => {
    await robot.simulator.wait(0.1);
    expect((await robot.control.status()).state).toBe('disarmed');
    expect((await robot.simulator.truth()).state).toBe('idle');
  };
  // Nothing but the signature is to be in the way.
  await robot.arm();
  await robot.control.disarm();
  await robot.lift();
  const attempts: Array<[string, (signed: Awaited<ReturnType<typeof challenged>>['signed']) => unknown]> = [
    ['malformed-envelope', () => command],
    ['malformed-envelope', () => ({ payload: JSON.stringify(command) })],
    ['malformed-signature', (signed) => ({ ...signed(robot.operator), signature: '' })],
    ['bad-signature', (signed) => ({ ...signed(robot.operator), payload: JSON.stringify(command) })],
    ['unknown-key', (signed) => signed(generateKeyPair().privateKey)],
    ['wrong-role', (signed) => signed(releaseKey())],
    ['other-robot', (signed) => signed(robot.operator, { robot: 'another-robot' })],
  ];
  for (const [code, attempt] of attempts) {
    const { send, signed } = await challenged(robot);
    expect(await send(attempt(signed))).toEqual(refusal(code));
    await staysPut();
  }

  const first = await challenged(robot);
  const good: CommandEnvelope = first.signed(robot.operator);
  const other = await challenged(robot);
  expect(await other.send(good), 'on another connection').toEqual(refusal('challenge-unknown-or-used'));
  await staysPut();
  expect(await first.send(good)).toMatchObject({ ok: true });
  await robot.truth('it stands', ({ state }) => state === 'active');

  await robot.control.disarm();
  await robot.lift();
  await robot.truth('idle', ({ state }) => state === 'idle');
  expect(await first.send(good), 'again').toEqual(refusal('challenge-unknown-or-used'));
  await staysPut();
});

/** Trusted, but for bundles only. */
const releaseKey = () => readPrivateKey(join(modelsDirectory, 'keys', 'demo-release.pem'), { published: true });
