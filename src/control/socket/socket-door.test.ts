import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RowOutbox } from './row-outbox.ts';
import { RawClient, socketFolder, until } from './socket.testing.ts';
import { SocketServer } from './socket-server.ts';

let folder: ReturnType<typeof socketFolder>;
let server: SocketServer;
let open: number;

beforeEach(async () => {
  // Only these: the sockets and the event loop are real.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
  folder = socketFolder();
  open = 0;
  server = new SocketServer({
    path: folder.path,
    outbox: new RowOutbox(),
    handlerFor: () => {
      open += 1;
      return {
        handle: (_request, answer) => answer({ ok: true }),
        closed: () => {
          open -= 1;
        },
      };
    },
  });
  await server.start();
});
afterEach(async () => {
  await server.stop();
  vi.useRealTimers();
  folder.remove();
});

const client = () => RawClient.connect(folder.path);
const works = async (who: RawClient) => (await who.ask({ request: 'status' })).ok === true;

/** Connects until nobody is let in any more. */
async function flood(): Promise<void> {
  for (let count = 0; count < 200 && server.counters.doorClosed === 0; count++) await client().catch(() => {});
  await until(() => server.counters.doorClosed === 1);
}

describe('a flood of connections', () => {
  it('closes the door: who is in stays in, and who comes is turned away', async () => {
    const inside = await client();
    await inside.ask({ request: 'subscribe', rows: true, events: false });
    await flood();
    await expect(client()).rejects.toThrow();
    expect(await works(inside)).toBe(true);
    expect(open).toBeLessThanOrEqual(16);
  });

  it('ends: after a second the door is open again, for as many as before', async () => {
    await flood();
    await vi.advanceTimersByTimeAsync(999);
    await expect(client()).rejects.toThrow();
    await vi.advanceTimersByTimeAsync(1);
    for (let count = 0; count < 40; count++) expect(await works(await client())).toBe(true);
    expect(server.counters.doorClosed).toBe(1);
  });

  it('is stopped again when it comes again', async () => {
    await flood();
    await vi.advanceTimersByTimeAsync(1000);
    while (server.counters.doorClosed < 2) await client().catch(() => {});
    await vi.advanceTimersByTimeAsync(1000);
    expect(await works(await client())).toBe(true);
  });

  it('is none when the same number comes over some seconds', async () => {
    for (let count = 0; count < 200; count++) {
      if (count % 40 === 39) await vi.advanceTimersByTimeAsync(1000);
      expect(await works(await client())).toBe(true);
    }
    expect(server.counters.doorClosed).toBe(0);
  });

  it('does not keep the server from stopping while the door is closed', async () => {
    await flood();
    await server.stop();
    await vi.advanceTimersByTimeAsync(5000);
    await expect(client()).rejects.toThrow();
  });
});
