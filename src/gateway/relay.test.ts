import { describe, expect, it } from 'vitest';
import type { CommandResponse, EventMessage } from '../messages/mqtt.ts';
import type { Answer } from '../messages/requests.ts';
import { statusOf } from '../messages/status.testing.ts';
import type { InboundMessage } from './broker.ts';
import { Relay, type RelayedRequest } from './relay.ts';

const RESPONSE = 'h2o/v1/r1/command/response';
const envelope = { payload: '{}', keyId: 'k', signature: 's' };
const settled = () => new Promise((resolve) => setImmediate(resolve));

function rig(control: (request: RelayedRequest) => Promise<Answer> = async () => ({ id: 1, ok: true })) {
  const asked: RelayedRequest[] = [];
  const responses: { topic: string; response: CommandResponse; correlation: string | undefined }[] = [];
  const events: EventMessage[] = [];
  let now = 0;
  const relay = new Relay({
    robot: 'r1',
    control: {
      request: (request) => {
        asked.push(request);
        return control(request);
      },
    },
    respond: (topic, response, correlationData) =>
      responses.push({ topic, response, correlation: correlationData?.toString() }),
    event: (event) => events.push(event),
    now: () => now,
    wall: () => 1000 + now,
  });
  const send = async (name: InboundMessage['name'], payload: unknown, over: Partial<InboundMessage> = {}) => {
    const bytes = Buffer.isBuffer(payload) ? payload : Buffer.from(JSON.stringify(payload));
    relay.handle({
      name,
      payload: bytes,
      retain: false,
      responseTopic: undefined,
      correlationData: undefined,
      ...over,
    });
    await settled();
  };
  const wait = (milliseconds: number) => {
    now += milliseconds;
  };
  return { relay, asked, responses, events, send, wait };
}

const codes = (responses: ReturnType<typeof rig>['responses']) =>
  responses.map(({ response }) => (response.ok ? 'ok' : response.refusal.code));

describe('the relay carries', () => {
  it('a challenge, back to where it was asked for', async () => {
    const challenge = { id: 7, ok: true as const, robot: 'r1', challenge: 'c', expiresInMs: 10_000 };
    const { send, responses, asked } = rig(async () => challenge);
    const over = { responseTopic: `${RESPONSE}/anna-1`, correlationData: Buffer.from('x') };
    await send('challenge', { id: 'mine' }, over);
    expect(asked).toEqual([{ request: 'challenge' }]);
    const response = { schema: 1, id: 'mine', ok: true, robot: 'r1', challenge: 'c', expiresInMs: 10_000 };
    expect(responses).toEqual([{ topic: `${RESPONSE}/anna-1`, response, correlation: 'x' }]);
  });

  it('a challenge that was asked for with nothing at all', async () => {
    const { send, responses } = rig(async () => ({ id: 7, ok: true, robot: 'r1', challenge: 'c', expiresInMs: 1 }));
    await send('challenge', Buffer.alloc(0));
    expect(responses).toMatchObject([{ topic: RESPONSE, response: { id: null, ok: true } }]);
  });

  it('a signed command as it is, and the refusal in control’s own words', async () => {
    const refusal = { code: 'bad-signature', message: 'm', remedy: 'r' };
    const { send, asked, responses } = rig(async () => ({ id: 1, ok: false, refusal }));
    await send('command', { id: 1, envelope });
    expect(asked).toEqual([{ request: 'command', envelope }]);
    expect(responses).toMatchObject([{ response: { schema: 1, id: 1, ok: false, refusal } }]);
  });

  it('status and disarm', async () => {
    const status = statusOf();
    const { send, asked, responses } = rig(async ({ request }) => ({
      id: 1,
      ok: true,
      ...(request === 'status' && { status }),
    }));
    await send('command', { id: 'a', request: 'status' });
    await send('command', { id: 'b', request: 'disarm' });
    expect(asked).toEqual([{ request: 'status' }, { request: 'disarm' }]);
    expect(responses.map(({ response }) => response)).toEqual([
      { schema: 1, id: 'a', ok: true, status },
      { schema: 1, id: 'b', ok: true },
    ]);
  });

  it('heartbeats, without an answer and one at a time', async () => {
    let answer = () => {};
    const { send, asked, responses } = rig(
      () =>
        new Promise((resolve) => {
          answer = () => resolve({ id: 1, ok: true });
        }),
    );
    await send('heartbeat', { session: 's', counter: 1 }, { responseTopic: RESPONSE });
    await send('heartbeat', { session: 's', counter: 2 });
    answer();
    await settled();
    await send('heartbeat', { session: 's', counter: 3 });
    expect(asked).toEqual([
      { request: 'heartbeat', session: 's', counter: 1 },
      { request: 'heartbeat', session: 's', counter: 3 },
    ]);
    expect(responses).toEqual([]);
  });
});

describe('the relay does not carry', () => {
  it.each(['challenge', 'command', 'heartbeat'] as const)('a retained message on %s', async (name) => {
    const { send, asked, responses, events, relay } = rig();
    await send(name, { id: 1, request: 'disarm', session: 's', counter: 1 }, { retain: true });
    expect({ asked, responses }).toEqual({ asked: [], responses: [] });
    expect(events).toMatchObject([{ schema: 1, event: 'ignored-retained', topic: name, at: 1000 }]);
    expect(relay.counters.ignoredRetained).toBe(1);
  });

  it.each(['challenge', 'command', 'heartbeat'] as const)('more than it reads on %s', async (name) => {
    const { send, asked, events } = rig();
    await send(name, Buffer.alloc(16 * 1024 + 1, ' '));
    expect(asked).toEqual([]);
    expect(events).toMatchObject([{ event: 'request-refused', topic: name, reason: 'oversized' }]);
  });

  it.each([
    ['text', Buffer.from('stop!'), null],
    ['a list', [], null],
    ['nothing', Buffer.alloc(0), null],
    ['a request that is signed for', { id: 4, request: 'reset' }, 4],
    ['an e-stop request, which has its own topic', { id: 4, request: 'estop', source: 'x' }, 4],
    ['a subscription to rows', { id: 4, request: 'subscribe', rows: true, events: true }, 4],
    ['both forms at once', { id: 4, request: 'disarm', envelope }, 4],
    ['a key that it does not know', { id: 'a', envelope, force: true }, 'a'],
    ['another version', { schema: 2, id: 'a', request: 'status' }, 'a'],
    ['an id that is too long', { id: 'x'.repeat(65), request: 'status' }, null],
    ['no id', { request: 'status' }, null],
    ['an envelope that is too long', { id: 1, envelope: { ...envelope, payload: 'x'.repeat(5000) } }, 1],
  ])('a command that is %s', async (_, payload, id) => {
    const { send, asked, responses, relay } = rig();
    await send('command', payload);
    expect(asked).toEqual([]);
    expect(responses).toMatchObject([{ response: { id, ok: false, refusal: { code: 'malformed-request' } } }]);
    expect(relay.counters.malformed).toBe(1);
  });

  it.each([{ session: '', counter: 1 }, { session: 's', counter: -1 }, { session: 's', counter: 1.5 }, {}])(
    'a heartbeat like %j',
    async (payload) => {
      const { send, asked, events } = rig();
      await send('heartbeat', payload);
      expect(asked).toEqual([]);
      expect(events).toMatchObject([{ event: 'request-refused', topic: 'heartbeat', reason: 'malformed-request' }]);
    },
  );

  it('more than ten commands a second, but every disarm', async () => {
    const { send, asked, responses, wait } = rig();
    for (let index = 0; index < 12; index += 1) await send('command', { id: index, envelope });
    await send('command', { id: 'd', request: 'disarm' });
    wait(1000);
    await send('command', { id: 'later', envelope });
    expect(codes(responses)).toEqual([...Array(10).fill('ok'), 'too-many-requests', 'too-many-requests', 'ok', 'ok']);
    expect(asked).toHaveLength(12);
  });

  it('so many challenges that control would forget one that is still open', async () => {
    const { send, responses, wait } = rig(async () => ({
      id: 1,
      ok: true,
      robot: 'r1',
      challenge: 'c',
      expiresInMs: 1,
    }));
    for (let index = 0; index < 30; index += 1) {
      await send('challenge', {});
      wait(200);
    }
    expect(codes(responses).filter((code) => code === 'ok')).toHaveLength(12);
    wait(11_000);
    await send('challenge', {});
    expect(codes(responses).at(-1)).toBe('ok');
  });

  it('anything when too much waits for a control that hangs', async () => {
    const { send, responses, relay } = rig(() => new Promise(() => {}));
    for (let index = 0; index < 40; index += 1) await send('command', { id: index, request: 'disarm' });
    expect(codes(responses)).toEqual(Array(8).fill('too-many-requests'));
    expect(relay.counters.relayed).toBe(32);
  });
});

describe('the relay answers', () => {
  it.each([
    'h2o/v1/r2/command/response',
    'h2o/v1/r1/state',
    'h2o/v1/r1/estop',
    'h2o/v1/r1/command/responses',
    'h2o/v1/r1/command/response/',
    'h2o/v1/r1/command/response/a/b',
    'h2o/v1/r1/command/response/+',
    'h2o/v1/r1/command/response/#',
    'h2o/v1/r1/command/response/../../estop',
    '',
  ])('nothing to %j, with an event', async (responseTopic) => {
    const { send, responses, events } = rig();
    await send('command', { id: 1, request: 'disarm' }, { responseTopic });
    expect(responses).toEqual([]);
    expect(events).toMatchObject([{ event: 'response-topic-refused', wanted: responseTopic }]);
  });

  it('with a reason when control does not', async () => {
    const { send, responses, relay } = rig(async () => {
      throw new Error('gone');
    });
    await send('command', { id: 1, request: 'status' });
    expect(codes(responses)).toEqual(['control-silent']);
    expect(relay.counters.unanswered).toBe(1);
  });

  it('with a reason when control says something else than it knows', async () => {
    const { send, responses } = rig(async () => ({ id: 1, ok: true, status: { from: 'the future' } }));
    await send('command', { id: 1, request: 'status' });
    expect(codes(responses)).toEqual(['control-not-understood']);
  });

  it('without correlation data that is too long', async () => {
    const { send, responses } = rig();
    await send('command', { id: 1, request: 'disarm' }, { correlationData: Buffer.alloc(257) });
    expect(responses).toMatchObject([{ correlation: undefined }]);
  });

  it('with few events, however many mistakes come', async () => {
    const { send, events } = rig();
    for (let index = 0; index < 50; index += 1) await send('heartbeat', {}, { retain: true });
    expect(events).toHaveLength(5);
  });
});
