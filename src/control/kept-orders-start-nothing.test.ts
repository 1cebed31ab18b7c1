import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { Allowance } from '../allowance.ts';
import { signCommand } from '../keys/command.ts';
import { generateKeyPair } from '../keys/key-pair.ts';
import { trustEntry, trustStoreOf } from '../keys/trust-store.ts';
import { robotControlRig, standing } from './control-rig.testing.ts';
import { requestHandler } from './socket/requests.ts';
import { RowOutbox } from './socket/row-outbox.ts';
import { EstopLatch } from './stopping/estop-latch.ts';

/** A courier that keeps a signed order back and delivers it when it suits. */
function courier() {
  const folder = mkdtempSync(join(tmpdir(), 'h2o-kept-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const rig = robotControlRig({ latch: new EstopLatch(join(folder, 'estop')), confirmed: true });
  rig.settle();
  rig.frames(200);
  const operator = generateKeyPair();
  const clock = { now: 0 };
  const handler = requestHandler({
    name: 'robot-1',
    control: rig.control,
    operator: rig.operator,
    outbox: new RowOutbox(),
    trust: trustStoreOf([trustEntry(operator.publicKey, 'operator', 'Anna')]),
    counters: new Map(),
    status: () => ({}) as never,
    estopEcho$: rig.session.estopEcho$,
    allowance: new Allowance(10, () => clock.now),
    mcuSettled: async () => void rig.frame({ state: 'idle' }),
    audit: () => {},
    now: () => clock.now,
  });
  const ask = (request: object) =>
    new Promise<Record<string, unknown>>((resolve) =>
      handler.handle(request as never, (answer) => resolve(answer as Record<string, unknown>)),
    );
  const signed = async (counter: number, command: object) => {
    const { challenge } = await ask({ request: 'challenge' });
    const order = { robot: 'robot-1', challenge: String(challenge), counter, command };
    return { request: 'command', envelope: signCommand(order as never, operator.privateKey) };
  };
  return { rig, clock, ask, signed };
}

it('an order that was signed before a disarming starts nothing after it', async () => {
  const { rig, clock, ask, signed } = courier();
  const kept = await signed(1, { name: 'mode', mode: standing });
  clock.now += 3000;
  await ask({ request: 'disarm' });
  rig.frames(10);
  expect(await ask(kept)).toMatchObject({ ok: false });
  expect(rig.control.safety.robotState).toBe('disarmed');
  // A new one does.
  expect(await ask(await signed(2, { name: 'mode', mode: standing }))).toMatchObject({ ok: true });
});

it('nor after a stop that was confirmed and reset since', async () => {
  const { rig, clock, ask, signed } = courier();
  const kept = await signed(9, { name: 'mode', mode: standing });
  clock.now += 1000;
  await rig.control.estop('a button');
  rig.echo(1);
  rig.frame({ state: 'estopped' });
  rig.confirmation.confirm(rig.confirmation.stop);
  expect(await ask(await signed(1, { name: 'reset' }))).toMatchObject({ ok: true });
  rig.frames(50);
  clock.now += 1000;
  expect(await ask(kept)).toMatchObject({ ok: false });
  expect(rig.control.safety.robotState).toBe('disarmed');
});
