import { once } from 'node:events';
import { connect } from 'node:net';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HttpServer } from './http-server.ts';

let stops: string[];
let server: HttpServer;

beforeEach(async () => {
  stops = [];
  const listening = new Promise<void>((resolve, reject) => {
    server = new HttpServer({
      address: '127.0.0.1',
      port: 0,
      robot: 'r1',
      courier: {
        stop: async (source, reached) => {
          stops.push(source);
          reached('received');
          reached('confirmed');
          return undefined;
        },
      },
      onState: ({ listening: up, problem }) => (up ? resolve() : reject(new Error(problem))),
    });
  });
  server.start();
  await listening;
});
afterEach(() => server.stop());

/** Sends bytes in pieces and reads to the end. */
async function send(...pieces: Array<string | Uint8Array>): Promise<string> {
  const socket = connect(server.port ?? 0, '127.0.0.1');
  socket.on('error', () => {});
  let said = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    said += text;
  });
  const closed = once(socket, 'close');
  for (const piece of pieces) socket.write(piece);
  socket.end();
  await closed;
  return said;
}

describe('the HTTP server', () => {
  it('stops for POST /estop and for nothing else, whatever is sent', async () => {
    const method = fc.constantFrom('POST', 'GET', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'post');
    const path = fc.oneof(
      fc.constantFrom(
        '/estop',
        '/estop/',
        '/estop?a=b',
        '/estop//',
        '/',
        '/estop/x',
        '/ESTOP',
        '//estop',
        '/estop%00',
        '*',
      ),
      fc.webUrl().map((url) => url.replace(/^https?:/, '').replaceAll(' ', '')),
    );
    const body = fc.oneof(fc.constant(''), fc.string({ maxLength: 50 }), fc.json());
    await fc.assert(
      fc.asyncProperty(method, path, body, async (verb, where, text) => {
        const before = stops.length;
        const said = await send(
          `${verb} ${where} HTTP/1.1\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n`,
          text,
        );
        const meant = verb === 'POST' && /^\/estop\/*(\?.*)?$/.test(where);
        expect(stops.length - before).toBe(meant ? 1 : 0);
        if (meant) expect(said).toMatch(/^HTTP\/1\.1 200 /);
        else expect(said).toMatch(/^HTTP\/1\.1 (204|400|404|405) /);
      }),
      { numRuns: 200 },
    );
  });

  it('is not brought down by anything that is no HTTP, and goes on to stop', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { maxLength: 4 }), async (pieces) => {
        await send(...pieces);
      }),
      { numRuns: 100 },
    );
    const before = stops.length;
    const said = await send('POST /estop HTTP/1.0\r\n\r\n');
    expect(stops.length).toBe(before + 1);
    expect(JSON.parse(said.slice(said.indexOf('\r\n\r\n')))).toMatchObject({
      received: true,
      confirmed: true,
      latched: false,
      ok: true,
    });
  });

  it('says in JSON what was not reached, and what to do then', async () => {
    await server.stop();
    server = new HttpServer({
      address: '127.0.0.1',
      port: 0,
      robot: 'r1',
      courier: {
        stop: async (_, reached) => {
          reached('received');
          reached('latched', false);
          reached('latched', true);
          return undefined;
        },
      },
      onState: () => {},
    });
    server.start();
    while (server.port === undefined) await new Promise((resolve) => setImmediate(resolve));
    const response = await fetch(`http://127.0.0.1:${server.port}/estop`, { method: 'POST' });
    const said = await response.json();
    expect(said).toMatchObject({
      robot: 'r1',
      received: true,
      latched: true,
      onDisk: false,
      confirmed: false,
      ok: false,
    });
    expect(said).toMatchObject({ error: { code: 'not-confirmed' } });
  });
});
