import { Observable } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Allowance } from '../../allowance.ts';
import { signCommand } from '../../keys/command.ts';
import { generateKeyPair, type KeyPair, keyId } from '../../keys/key-pair.ts';
import { trustEntry, trustStoreOf } from '../../keys/trust-store.ts';
import type { Command, Request } from '../../messages/requests.ts';
import type { Status } from '../../messages/status.ts';
import { reasons } from '../../safety/supervisor.ts';
import { latchOnDisk, type RobotControlRig, robotControlRig, standing } from '../control-rig.testing.ts';
import type { ControlEvent } from '../robot-control.ts';
import { CHECKS_PER_SECOND, type RequestParts, requestHandler } from './requests.ts';
import { RowOutbox } from './row-outbox.ts';
import { RawClient, socketFolder, until } from './socket.testing.ts';
import { SocketServer } from './socket-server.ts';

const operator = generateKeyPair();
const release = generateKeyPair();
const stranger = generateKeyPair();
const trust = trustStoreOf([
  trustEntry(operator.publicKey, 'operator', 'Anna'),
  trustEntry(release.publicKey, 'release', 'build'),
]);
const status = { name: 'robot-1' } as Status;

let folder: ReturnType<typeof socketFolder>;
let disk: ReturnType<typeof latchOnDisk>;
let rig: RobotControlRig;
let server: SocketServer;
let audit: ControlEvent[];
let now: number;
let outbox: RowOutbox;
let parts: RequestParts;
let counter: number;

beforeEach(async () => {
  folder = socketFolder();
  disk = latchOnDisk();
  rig = robotControlRig({ latch: disk.latch });
  rig.settle();
  audit = [];
  now = 1000;
  counter = 0;
  const counters = new Map<string, number>();
  outbox = new RowOutbox();
  parts = {
    outbox,
    name: 'robot-1',
    control: rig.control,
    operator: rig.operator,
    trust,
    counters,
    status: () => status,
    estopEcho$: rig.session.estopEcho$,
    allowance: new Allowance(CHECKS_PER_SECOND, () => now),
    mcuSettled: async () => void rig.frame({ state: 'idle' }),
    audit: (event: ControlEvent) => void audit.push(event),
    now: () => now,
  };
  server = new SocketServer({ path: folder.path, outbox, handlerFor: () => requestHandler(parts) });
  await server.start();
});
afterEach(async () => {
  await server.stop();
  folder.remove();
  await disk.remove();
});

const client = () => RawClient.connect(folder.path);
const state = () => rig.control.safety.robotState;
const start: Command = { name: 'mode', mode: standing };

async function challengeFor(who: RawClient): Promise<string> {
  return String((await who.ask({ request: 'challenge' })).challenge);
}

interface Signed {
  key?: KeyPair;
  robot?: string;
  challenge?: string;
  counter?: number;
  command?: Command;
}

/** A command as an operator would sign it, but for what is given. */
async function signed(who: RawClient, over: Signed = {}) {
  const challenge = over.challenge ?? (await challengeFor(who));
  counter += 1;
  return signCommand(
    {
      robot: over.robot ?? 'robot-1',
      challenge,
      counter: over.counter ?? counter,
      command: over.command ?? start,
    },
    (over.key ?? operator).privateKey,
  );
}

const send = (who: RawClient, envelope: unknown) => who.ask({ request: 'command', envelope });
const codeOf = (answer: Record<string, unknown>) => (answer.refusal as { code: string } | undefined)?.code;

describe('what the gateway says of its recorder', () => {
  it.each(['disk-full', 'behind'] as const)(
    '"%s" is named as a warning, and starts or stops nothing',
    async (problem) => {
      rig.run();
      const gateway = await client();
      expect(await gateway.ask({ request: 'recorder', problem })).toMatchObject({ ok: true });
      rig.frame({ state: 'active' });
      expect(reasons(rig.control.safety.active)).toEqual([problem === 'behind' ? 'recorder-behind' : 'disk-full']);
      expect(state()).toBe('running');
      expect(await gateway.ask({ request: 'recorder', problem: '' })).toMatchObject({ ok: true });
      rig.frame({ state: 'active' });
      expect(reasons(rig.control.safety.active)).toEqual([]);
    },
  );

  it('of any other kind is refused', async () => {
    const gateway = await client();
    expect(await gateway.ask({ request: 'recorder', problem: 'estop' })).toMatchObject({ ok: false });
    rig.frame();
    expect(reasons(rig.control.safety.active)).toEqual([]);
  });
});

describe('a signed command', () => {
  it('starts the robot, and who gave it is on record', async () => {
    const one = await client();
    expect(await send(one, await signed(one))).toMatchObject({ ok: true });
    expect(state()).toBe('running');
    expect(audit).toEqual([{ event: 'command-accepted', command: start, keyId: keyId(operator.publicKey) }]);
  });

  it('that names the orders which its sender knows of starts nothing after another one', async () => {
    const one = await client();
    const known = rig.control.orders;
    rig.control.disarm();
    rig.frame();
    const answer = await send(one, await signed(one, { command: { ...start, orders: known } }));
    expect(codeOf(answer)).toBe('other-orders');
    expect(state()).toBe('disarmed');
    expect(await send(one, await signed(one, { command: { ...start, orders: known + 1 } }))).toMatchObject({
      ok: true,
    });
    expect(state()).toBe('running');
  });

  it('resets a stop', async () => {
    const one = await client();
    await rig.control.estop('anna');
    expect(await send(one, await signed(one, { command: { name: 'reset' } }))).toMatchObject({ ok: true });
    expect(state()).toBe('disarmed');
  });

  it('that the robot cannot follow is answered with what is in the way, and goes on record as refused', async () => {
    const one = await client();
    await rig.control.estop('anna');
    const answer = await send(one, await signed(one));
    expect(codeOf(answer)).toContain('estop');
    expect(audit.at(-1)).toMatchObject({ event: 'command-refused', reason: codeOf(answer) });
    expect(state()).toBe('estopped');
  });
});

describe('a command is refused', () => {
  it.each<[string, Signed]>([
    ['unknown-key', { key: stranger }],
    ['wrong-role', { key: release }],
    ['other-robot', { robot: 'robot-2' }],
    ['challenge-unknown-or-used', { challenge: 'AAAAAAAAAAAAAAAAAAAAAA' }],
  ])('as "%s"', async (reason, over) => {
    const one = await client();
    const answer = await send(one, await signed(one, over));
    expect(codeOf(answer)).toBe(reason);
    expect((answer.refusal as { remedy: string }).remedy).not.toBe('');
    expect(state()).toBe('disarmed');
    expect(audit).toEqual([{ event: 'command-refused', reason }]);
  });

  it('when it is not signed at all', async () => {
    const one = await client();
    for (const envelope of [start, { payload: JSON.stringify(start) }, null, 'start']) {
      expect(codeOf(await send(one, envelope))).toBe('malformed-envelope');
    }
    expect(state()).toBe('disarmed');
  });

  it('when its text was changed after it was signed', async () => {
    const one = await client();
    const envelope = await signed(one);
    const payload = envelope.payload.replace('standing-still', 'moving-straight');
    expect(codeOf(await send(one, { ...envelope, payload }))).toBe('bad-signature');
  });

  it('when it is played again', async () => {
    const one = await client();
    const envelope = await signed(one);
    await send(one, envelope);
    rig.control.disarm();
    rig.frame();
    expect(codeOf(await send(one, envelope))).toBe('challenge-unknown-or-used');
    expect(state()).toBe('disarmed');
  });

  it('when its challenge was given to another connection', async () => {
    const [one, two] = [await client(), await client()];
    const envelope = await signed(two, { challenge: await challengeFor(one) });
    expect(codeOf(await send(two, envelope))).toBe('challenge-unknown-or-used');
    expect(await send(one, envelope)).toMatchObject({ ok: true });
  });

  it('when its challenge is too old', async () => {
    const one = await client();
    const envelope = await signed(one);
    now += 10_001;
    expect(codeOf(await send(one, envelope))).toBe('challenge-expired');
  });

  it('when its counter does not rise, also over another connection', async () => {
    const [one, two] = [await client(), await client()];
    await send(one, await signed(one, { counter: 50 }));
    expect(codeOf(await send(two, await signed(two, { counter: 50 })))).toBe('counter-not-above-last');
    expect(await send(two, await signed(two, { counter: 51 }))).toMatchObject({ ok: true });
  });

  it('when too many came in a second, over all connections together: checking costs the control loop, whoever asks', async () => {
    const [one, two] = [await client(), await client()];
    const answers = [];
    for (let count = 0; count < 6; count++) for (const who of [one, two]) answers.push(codeOf(await send(who, {})));
    expect(answers).toEqual([...Array(10).fill('malformed-envelope'), 'too-many-commands', 'too-many-commands']);
    now += 100;
    expect([codeOf(await send(one, {})), codeOf(await send(two, {}))]).toEqual([
      'malformed-envelope',
      'too-many-commands',
    ]);
    now += 60_000;
    const later = [];
    for (let count = 0; count < 11; count++) later.push(codeOf(await send(await client(), {})));
    expect(later.filter((code) => code === 'too-many-commands')).toHaveLength(1);
  });

  it('no longer when the second is over', async () => {
    const one = await client();
    for (let count = 0; count < 11; count++) await send(one, {});
    const envelope = await signed(one);
    expect(codeOf(await send(one, envelope))).toBe('too-many-commands');
    now += 100;
    expect(await send(one, envelope)).toMatchObject({ ok: true });
    expect(state()).toBe('running');
  });
});

describe('without a signature anybody may', () => {
  it('stop: received at once, then latched on disk, then confirmed by the MCU', async () => {
    const one = await client();
    expect(await one.ask({ request: 'estop', source: 'a passer-by' })).toMatchObject({ ok: true, stage: 'received' });
    expect(state()).toBe('estopped');
    await until(() => one.answers.some(({ stage }) => stage === 'latched'));
    expect(one.answers.at(-1)).toMatchObject({ stage: 'latched', onDisk: true });
    expect(one.answers.some(({ stage }) => stage === 'confirmed')).toBe(false);
    rig.echo(1);
    await until(() => one.answers.some(({ stage }) => stage === 'confirmed'));
    expect(one.answers.map(({ id, stage }) => [id, stage])).toEqual([
      [1, 'received'],
      [1, 'latched'],
      [1, 'confirmed'],
    ]);
    expect(rig.latch.source).toBe('a passer-by');
  });

  it('stop although their commands are too many', async () => {
    const one = await client();
    for (let count = 0; count < 12; count++) await send(one, {});
    expect(await one.ask({ request: 'estop', source: 'anna' })).toMatchObject({ ok: true });
    expect(state()).toBe('estopped');
  });

  it('disarm', async () => {
    rig.enter();
    expect(await (await client()).ask({ request: 'disarm' })).toMatchObject({ ok: true });
    expect(state()).toBe('disarmed');
  });

  it('say that rows are on disk, so that they need not be kept', async () => {
    for (const sequence of [5, 6, 7]) outbox.push(sequence, Buffer.alloc(1));
    expect(await (await client()).ask({ request: 'acknowledge', sequence: 6 })).toMatchObject({ ok: true });
    expect(outbox).toMatchObject({ kept: 1, counters: { acknowledged: 2 } });
  });

  it('ask for the status', async () => {
    expect(await (await client()).ask({ request: 'status' })).toMatchObject({ ok: true, status });
  });

  it('ask for a challenge, a new one each time, with the name of the robot to sign for', async () => {
    const one = await client();
    const [first, second] = [await one.ask({ request: 'challenge' }), await one.ask({ request: 'challenge' })];
    expect(first).toMatchObject({ robot: 'robot-1', expiresInMs: 10_000 });
    expect(first.challenge).not.toBe(second.challenge);
  });
});

/** The echoes of the MCU, and how many listen to them. */
function countedEchoes(): { echoes$: Observable<void>; listeners: () => number } {
  let listeners = 0;
  const echoes$ = new Observable<void>((subscriber) => {
    listeners += 1;
    const source = rig.session.estopEcho$.subscribe(subscriber);
    return () => {
      listeners -= 1;
      source.unsubscribe();
    };
  });
  return { echoes$, listeners: () => listeners };
}

describe('a flood of stops that no MCU confirms', () => {
  const stop: Request = { request: 'estop', source: 'flood' };

  it('is kept in mind for the first eight of a connection only, and all are told that they were received', async () => {
    const handler = requestHandler(parts);
    const stages: unknown[] = [];
    for (let count = 0; count < 10_000; count++) handler.handle(stop, ({ stage }) => void stages.push(stage));
    await rig.latch.persisted();
    await new Promise((resolve) => setImmediate(resolve));
    rig.echo(1);
    rig.echo(1);
    const told = (stage: string) => stages.filter((one) => one === stage).length;
    expect([told('received'), told('latched'), told('confirmed')]).toEqual([10_000, 8, 8]);
    expect(state()).toBe('estopped');
  });

  it('leaves room for the next eight once the first are confirmed', () => {
    const handler = requestHandler(parts);
    let confirmed = 0;
    for (let round = 1; round <= 3; round++) {
      for (let count = 0; count < 20; count++) {
        handler.handle(stop, ({ stage }) => {
          if (stage === 'confirmed') confirmed += 1;
        });
      }
      rig.echo(round);
      expect(confirmed).toBe(8 * round);
    }
  });

  it('costs other connections nothing of theirs', () => {
    const [loud, quiet] = [requestHandler(parts), requestHandler(parts)];
    for (let count = 0; count < 100; count++) loud.handle(stop, () => {});
    const stages: unknown[] = [];
    quiet.handle({ request: 'estop', source: 'anna' }, ({ stage }) => void stages.push(stage));
    rig.echo(1);
    expect(stages).toEqual(['received', 'confirmed']);
  });
});

describe('a connection that has closed', () => {
  it('leaves no listener behind, after a thousand of them', () => {
    const { echoes$, listeners } = countedEchoes();
    for (let count = 0; count < 1000; count++) {
      const handler = requestHandler({ ...parts, estopEcho$: echoes$ });
      handler.handle({ request: 'estop', source: 'anna' }, () => {});
      expect(listeners()).toBe(1);
      handler.closed();
    }
    expect(listeners()).toBe(0);
  });

  it('leaves none behind on the socket either, whoever ended it', async () => {
    const { echoes$, listeners } = countedEchoes();
    await server.stop();
    server = new SocketServer({
      path: folder.path,
      outbox,
      handlerFor: () => requestHandler({ ...parts, estopEcho$: echoes$ }),
    });
    await server.start();
    // Half of them leave; those that are too many are evicted, and one breaks the protocol.
    const clients: RawClient[] = [];
    for (let count = 0; count < 40; count++) {
      const one = await client();
      await one.ask({ request: 'estop', source: 'anna' });
      if (count % 2 === 0) one.socket.destroy();
      clients.push(one);
    }
    clients.at(-1)?.socket.write(Buffer.alloc(5));
    await until(() => clients.at(-1)?.closed === true);
    expect(listeners()).toBeLessThanOrEqual(16);
    for (const one of clients) one.socket.destroy();
    await until(() => listeners() === 0);
  });

  it('is told nothing more of its stop', async () => {
    const handler = requestHandler(parts);
    const stages: unknown[] = [];
    handler.handle({ request: 'estop', source: 'anna' }, ({ stage }) => void stages.push(stage));
    handler.closed();
    rig.echo(1);
    expect(stages).toEqual(['received']);
  });
});
