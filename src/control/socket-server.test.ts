import { once } from 'node:events';
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Request } from '../messages/requests.ts';
import { frameForSocket, jsonForSocket, MAX_SOCKET_PAYLOAD, SocketKind } from '../messages/socket-frame.ts';
import { RawClient, socketFolder, until } from './socket.testing.ts';
import { SocketServer } from './socket-server.ts';

let folder: ReturnType<typeof socketFolder>;
let server: SocketServer;
let handled: Request[];
let handlers: number;

const newServer = () =>
  new SocketServer({
    path: folder.path,
    handlerFor: () => {
      handlers += 1;
      const number = handlers;
      return {
        handle(request, answer) {
          handled.push(request);
          answer({ ok: true, handler: number });
        },
      };
    },
  });

beforeEach(async () => {
  folder = socketFolder();
  handled = [];
  handlers = 0;
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

  it('is ignored when it is a row', async () => {
    const one = await client();
    one.socket.write(frameForSocket(SocketKind.row, Buffer.from('{"id":1,"request":"status"}')));
    await settle(one);
    expect(handled).toHaveLength(1);
  });

  it.each([0, MAX_SOCKET_PAYLOAD + 1])(
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
});

describe('rows', () => {
  it('go to nobody, counted, until somebody asks', async () => {
    const one = await client();
    await settle(one);
    server.row(Buffer.from('a'));
    expect(server.counters).toMatchObject({ rowsUnclaimed: 1, rowsSent: 0 });
    await settle(one);
    expect(one.rows).toEqual([]);
  });

  it('go to whoever asked last, and to one only', async () => {
    const [one, two] = [await client(), await client()];
    await one.ask({ request: 'subscribe', rows: true, events: false });
    server.row(Buffer.from('a'));
    await two.ask({ request: 'subscribe', rows: true, events: false });
    server.row(Buffer.from('b'));
    await Promise.all([settle(one), settle(two)]);
    expect([one.rows.map(String), two.rows.map(String)]).toEqual([['a'], ['b']]);
  });

  it('are not asked for by asking for events', async () => {
    const [one, two] = [await client(), await client()];
    await one.ask({ request: 'subscribe', rows: true, events: false });
    await two.ask({ request: 'subscribe', rows: false, events: true });
    server.row(Buffer.from('a'));
    await Promise.all([settle(one), settle(two)]);
    expect([one.rows.length, two.rows.length]).toEqual([1, 0]);
  });

  it('are unclaimed again when their reader has gone', async () => {
    const one = await client();
    await one.ask({ request: 'subscribe', rows: true, events: false });
    one.socket.destroy();
    const counted = () => {
      server.row(Buffer.from('a'));
      return server.counters.rowsUnclaimed > 0;
    };
    await until(counted);
  });

  it('are dropped, counted, for a reader that does not read, and nobody waits for it', async () => {
    const slow = await client();
    await slow.ask({ request: 'subscribe', rows: true, events: false });
    slow.socket.pause();
    const row = Buffer.alloc(10_000);
    for (let count = 0; count < 500; count++) server.row(row);
    const { rowsSent, rowsDropped } = server.counters;
    expect(rowsDropped).toBeGreaterThan(0);
    expect(rowsSent + rowsDropped).toBe(500);
    const other = await client();
    expect((await other.ask({ request: 'status' })).ok).toBe(true);
    slow.socket.resume();
    await until(() => slow.rows.length === rowsSent);
    expect(slow.rows.every((bytes) => bytes.length === row.length)).toBe(true);
    server.row(row);
    expect(server.counters.rowsSent).toBe(rowsSent + 1);
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
    const refused = new SocketServer({ path, handlerFor: () => ({ handle: () => {} }) });
    await expect(refused.start()).rejects.toThrow();
  });
});

describe('too many connections', () => {
  it('are closed at once, and room is made by those that leave', async () => {
    const clients = await Promise.all(Array.from({ length: 16 }, client));
    await Promise.all(clients.map(settle));
    const late = await client();
    await until(() => late.closed);
    clients[0]?.socket.destroy();
    const retry = async (): Promise<boolean> => (await (await client()).ask({ request: 'status' })).ok === true;
    while (!(await retry())) await new Promise((resolve) => setTimeout(resolve, 1));
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

  it('leaves another program on the same path alone', async () => {
    await server.stop();
    const other = createServer();
    other.listen(folder.path);
    await once(other, 'listening');
    await expect(newServer().start()).rejects.toMatchObject({ codeName: 'portUnavailable' });
    await new Promise((resolve) => other.close(resolve));
    server = newServer();
    await server.start();
  });
});
