import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Request } from '../../messages/requests.ts';
import { frameForSocket, jsonForSocket, MAX_REQUEST, SocketKind } from '../../messages/socket-frame.ts';
import { RowOutbox } from './row-outbox.ts';
import { RawClient, socketFolder, until } from './socket.testing.ts';
import { SocketServer } from './socket-server.ts';

let folder: ReturnType<typeof socketFolder>;
let server: SocketServer;
let handled: Request[];
let handlers: number;
let closed: number[];
let outbox: RowOutbox;

const newServer = () => {
  // A server of the test before may still lose connections.
  const gone = closed;
  return new SocketServer({
    path: folder.path,
    outbox,
    handlerFor: () => {
      handlers += 1;
      const number = handlers;
      return {
        handle(request, answer) {
          handled.push(request);
          answer({ ok: true, handler: number });
        },
        closed: () => void gone.push(number),
      };
    },
  });
};

beforeEach(async () => {
  folder = socketFolder();
  handled = [];
  handlers = 0;
  closed = [];
  outbox = new RowOutbox();
  server = newServer();
  await server.start();
});
afterEach(async () => {
  await server.stop();
  folder.remove();
});

const client = () => RawClient.connect(folder.path);
/** Whatever was sent before has been seen by the server. */
const settle = async (who: RawClient) => void (await who.ask({ request: 'status' }));

describe('a request', () => {
  it('is answered under its own number', async () => {
    const one = await client();
    expect(await one.ask({ request: 'status' })).toMatchObject({ id: 1, ok: true });
    expect(await one.ask({ request: 'disarm' })).toMatchObject({ id: 2, ok: true });
    expect(handled).toEqual([{ request: 'status' }, { request: 'disarm' }]);
  });

  it('of another connection has a handler of its own', async () => {
    const [one, two] = [await client(), await client()];
    expect((await one.ask({ request: 'status' })).handler).not.toBe((await two.ask({ request: 'status' })).handler);
  });

  it('comes through however it is cut', async () => {
    const one = await client();
    for (const byte of jsonForSocket({ id: 5, request: 'status' })) one.socket.write(Uint8Array.of(byte));
    await until(() => one.answers.length === 1);
    expect(one.answers[0]).toMatchObject({ id: 5, ok: true });
  });

  it('out of a flood is answered, all in order', async () => {
    const one = await client();
    one.socket.write(Buffer.concat(Array.from({ length: 500 }, (_, id) => jsonForSocket({ id, request: 'status' }))));
    await until(() => one.answers.length === 500);
    expect(one.answers.map((answer) => answer.id)).toEqual(Array.from({ length: 500 }, (_, id) => id));
  });

  it('of one connection is answered in the middle of a flood from another', async () => {
    const [loud, quiet] = [await client(), await client()];
    const flood = Buffer.concat(Array.from({ length: 3000 }, (_, id) => jsonForSocket({ id, request: 'status' })));
    loud.socket.write(flood);
    await until(() => handled.length > 0);
    await quiet.ask({ request: 'disarm' });
    expect(handled.findIndex(({ request }) => request === 'disarm')).toBeLessThan(2900);
    await until(() => loud.answers.length === 3000);
  });
});

describe('what is no request', () => {
  it.each([
    ['text that is no JSON', '{"id":'],
    ['nothing', 'null'],
    ['a number', '7'],
    ['a list', '[]'],
    ['a request that does not exist', '{"id":3,"request":"start"}'],
    ['a request with a field too many', '{"id":3,"request":"disarm","force":true}'],
  ])('is answered as malformed: %s', async (_what, text) => {
    const one = await client();
    one.socket.write(frameForSocket(SocketKind.json, Buffer.from(text)));
    await until(() => one.answers.length === 1);
    expect(one.answers[0]).toMatchObject({ ok: false, refusal: { code: 'malformed-request' } });
    expect(server.counters.requestsMalformed).toBe(1);
    expect(handled).toEqual([]);
    expect((await one.ask({ request: 'status' })).ok).toBe(true);
  });

  it.each([SocketKind.row, 2, 255])(
    'closes the connection when it is of kind %i, and is not carried out',
    async (kind) => {
      const [bad, good] = [await client(), await client()];
      const framed = Buffer.from(jsonForSocket({ id: 1, request: 'disarm' }));
      framed.writeUInt8(kind, 4);
      bad.socket.write(framed);
      await until(() => bad.closed);
      expect(server.counters.connectionsBroken).toBe(1);
      await settle(good);
      expect(handled).toEqual([{ request: 'status' }]);
      expect(closed).toEqual([1]);
    },
  );

  it.each([0, MAX_REQUEST + 2, 0xffffffff])(
    'closes the connection, and only that one, by a claim of %i bytes',
    async (length) => {
      const [bad, good] = [await client(), await client()];
      const header = Buffer.alloc(5);
      header.writeUInt32LE(length, 0);
      bad.socket.write(header);
      await until(() => bad.closed);
      expect(server.counters.connectionsBroken).toBe(1);
      expect((await good.ask({ request: 'status' })).ok).toBe(true);
    },
  );

  it('is long: 8 KiB are taken, a byte more closes the connection', async () => {
    /** A good request of so many bytes. */
    const ofLength = (bytes: number) => {
      const text = JSON.stringify({ id: 1, request: 'status' });
      return frameForSocket(SocketKind.json, Buffer.from(text + ' '.repeat(bytes - text.length)));
    };
    const [good, bad] = [await client(), await client()];
    good.socket.write(ofLength(8192));
    await until(() => good.answers.length === 1);
    expect(good.answers[0]).toMatchObject({ ok: true });
    bad.socket.write(ofLength(8193));
    await until(() => bad.closed);
    expect(bad.answers).toEqual([]);
    expect(handled).toHaveLength(1);
  });

  it('is not looked at behind something that broke the connection', async () => {
    const bad = await client();
    bad.socket.write(Buffer.concat([Buffer.alloc(5), jsonForSocket({ id: 1, request: 'disarm' })]));
    await until(() => bad.closed);
    expect(handled).toEqual([]);
  });
});

const rowsPlease = { request: 'subscribe', rows: true, events: false };
let sequence = 0;
/** A tick: it makes a row and has time for what waits. */
function row(bytes: Buffer): void {
  sequence += 1;
  outbox.push(sequence, bytes);
  outbox.pump();
}

describe('rows', () => {
  it('are kept until somebody asks, who is given all of them', async () => {
    const one = await client();
    for (const name of ['a', 'b']) row(Buffer.from(name));
    await settle(one);
    expect(one.rows).toEqual([]);
    await one.ask(rowsPlease);
    row(Buffer.from('c'));
    await settle(one);
    expect(one.rows.map(String)).toEqual(['a', 'b', 'c']);
  });

  it('go to the first who asked; another is refused and told why', async () => {
    const [one, two] = [await client(), await client()];
    await one.ask(rowsPlease);
    const answer = await two.ask(rowsPlease);
    expect(answer).toMatchObject({ ok: false, refusal: { code: 'rows-taken' } });
    expect((answer.refusal as { remedy: string }).remedy).not.toBe('');
    row(Buffer.from('a'));
    await Promise.all([settle(one), settle(two)]);
    expect([one.rows.map(String), two.rows.map(String)]).toEqual([['a'], []]);
  });

  it('that are asked for again by their reader are not sent again', async () => {
    const one = await client();
    await one.ask(rowsPlease);
    row(Buffer.from('a'));
    expect(await one.ask(rowsPlease)).toMatchObject({ ok: true });
    row(Buffer.from('b'));
    await settle(one);
    expect(one.rows.map(String)).toEqual(['a', 'b']);
  });

  it('are not asked for by asking for events', async () => {
    const [one, two] = [await client(), await client()];
    await one.ask(rowsPlease);
    await two.ask({ request: 'subscribe', rows: false, events: true });
    row(Buffer.from('a'));
    await Promise.all([settle(one), settle(two)]);
    expect([one.rows.length, two.rows.length]).toEqual([1, 0]);
  });

  it('that their reader did not acknowledge go to the next one, when it has gone', async () => {
    const one = await client();
    await one.ask(rowsPlease);
    for (const name of ['a', 'b', 'c']) row(Buffer.from(name));
    await settle(one);
    outbox.acknowledge(sequence - 2);
    one.socket.destroy();
    await until(() => closed.length === 1);
    row(Buffer.from('d'));
    const two = await client();
    expect(await two.ask(rowsPlease)).toMatchObject({ ok: true });
    row(Buffer.from('e'));
    await settle(two);
    expect(two.rows.map(String)).toEqual(['b', 'c', 'd', 'e']);
  });

  it('wait, and nobody waits for them, while their reader does not read', async () => {
    const slow = await client();
    await slow.ask(rowsPlease);
    slow.socket.pause();
    const bytes = Buffer.alloc(10_000);
    for (let count = 0; count < 500; count++) row(bytes);
    const { sent } = outbox.counters;
    expect(sent).toBeLessThan(500);
    const other = await client();
    expect((await other.ask({ request: 'status' })).ok).toBe(true);
    slow.socket.resume();
    await until(() => {
      outbox.pump();
      return slow.rows.length === 500;
    });
    expect(slow.rows.every((received) => received.length === bytes.length)).toBe(true);
    expect(outbox.counters).toMatchObject({ made: 500, sent: 500, lost: 0 });
  });
});

describe('events', () => {
  it('go to everybody who listens, and to nobody else', async () => {
    const [one, two, deaf] = [await client(), await client(), await client()];
    for (const listener of [one, two]) await listener.ask({ request: 'subscribe', rows: false, events: true });
    server.broadcast({ event: 'estop', source: 'anna' });
    await Promise.all([one, two, deaf].map(settle));
    for (const listener of [one, two]) expect(listener.answers).toContainEqual({ event: 'estop', source: 'anna' });
    expect(deaf.answers).not.toContainEqual({ event: 'estop', source: 'anna' });
  });

  it('do not pile up for a listener that does not read', async () => {
    const slow = await client();
    await slow.ask({ request: 'subscribe', rows: false, events: true });
    slow.socket.pause();
    const event = { event: 'noise', text: 'x'.repeat(10_000) };
    for (let count = 0; count < 500; count++) server.broadcast(event);
    const last = { event: 'last' };
    server.broadcast(last);
    slow.socket.resume();
    // While its buffer is full it gets no answers either: ask until it is empty.
    while (!slow.answers.some(({ id }) => id === 99)) {
      slow.socket.write(jsonForSocket({ id: 99, request: 'status' }));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(slow.answers.filter((answer) => answer.event === 'noise').length).toBeLessThan(500);
    expect(slow.answers).not.toContainEqual(last);
  });
});

describe('the socket file', () => {
  it('is for owner and group only', () => {
    expect(statSync(folder.path).mode & 0o777).toBe(0o660);
  });

  it('is refused to a second control while the first one lives', async () => {
    await expect(newServer().start()).rejects.toMatchObject({
      codeName: 'portUnavailable',
      message: expect.stringContaining(folder.path),
    });
    const one = await client();
    expect((await one.ask({ request: 'status' })).ok).toBe(true);
  });

  it('that a dead process left behind is replaced', async () => {
    await server.stop();
    expect(existsSync(folder.path)).toBe(false);
    mkdirSync(dirname(folder.path), { recursive: true });
    writeFileSync(folder.path, 'what is left of a socket');
    server = newServer();
    await server.start();
    const one = await client();
    expect((await one.ask({ request: 'status' })).ok).toBe(true);
  });

  it('in a folder that is a file is refused with a remedy', async () => {
    const path = `${folder.path}.txt/control.sock`;
    writeFileSync(`${folder.path}.txt`, '');
    const refused = new SocketServer({ path, outbox, handlerFor: () => ({ handle: () => {}, closed: () => {} }) });
    await expect(refused.start()).rejects.toMatchObject({
      codeName: 'portUnavailable',
      remedy: expect.stringContaining('runtimeDirectory'),
    });
  });
});

describe('too many connections', () => {
  it('do not keep the next one from stopping the robot: the oldest makes room', async () => {
    const idle: RawClient[] = [];
    for (let count = 0; count < 16; count++) idle.push(await client());
    await Promise.all(idle.map(settle));
    const late = await client();
    expect(await late.ask({ request: 'estop', source: 'anna' })).toMatchObject({ ok: true });
    await until(() => idle[0]?.closed === true);
    expect(idle.slice(1).some((one) => one.closed)).toBe(false);
    expect(server.counters.connectionsEvicted).toBe(1);
    expect(closed).toEqual([1]);
  });

  it('never cost the reader of the rows its place, however old it is', async () => {
    const reader = await client();
    await reader.ask(rowsPlease);
    for (let count = 0; count < 32; count++) await settle(await client());
    row(Buffer.from('a'));
    await settle(reader);
    expect(reader.rows.map(String)).toEqual(['a']);
    expect(server.counters.connectionsEvicted).toBe(17);
  });

  it('that leave by themselves make room, and nobody is evicted', async () => {
    for (let count = 0; count < 30; count++) {
      const one = await client();
      await settle(one);
      one.socket.destroy();
      await until(() => closed.length === count + 1);
    }
    expect(server.counters.connectionsEvicted).toBe(0);
  });
});

describe('stopping', () => {
  it('closes every connection and takes no more', async () => {
    const one = await client();
    await settle(one);
    await server.stop();
    await until(() => one.closed);
    await expect(client()).rejects.toThrow();
    // The server of afterEach must be one that can be stopped.
    server = newServer();
    await server.start();
  });
});
