import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RowOutbox } from './row-outbox.ts';
import { RawClient, socketFolder } from './socket.testing.ts';
import { SocketServer } from './socket-server.ts';

let folder: ReturnType<typeof socketFolder>;
let other: ChildProcess | undefined;

const newServer = () =>
  new SocketServer({
    path: folder.path,
    outbox: new RowOutbox(),
    handlerFor: () => ({ handle: (_request, answer) => answer({ ok: true }), closed: () => {} }),
  });

/** A server in a process of its own, which holds the path. */
async function otherProcess(): Promise<ChildProcess> {
  const source = (name: string) => JSON.stringify(new URL(name, import.meta.url).href);
  const program = `
    const { SocketServer } = await import(${source('./socket-server.ts')});
    const { RowOutbox } = await import(${source('./row-outbox.ts')});
    const handlerFor = () => ({ handle: (_request, answer) => answer({ ok: true }), closed: () => {} });
    await new SocketServer({ path: ${JSON.stringify(folder.path)}, outbox: new RowOutbox(), handlerFor }).start();
    console.log('up');`;
  const options = ['--import', 'tsx', '--input-type=module', '--eval', program];
  const child = spawn(process.execPath, options, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}

beforeEach(() => {
  folder = socketFolder();
});
afterEach(() => {
  other?.kill('SIGKILL');
  folder.remove();
});

describe('the socket of a control in another process', () => {
  it('is left to it while it lives, and taken over when it died without a word', async () => {
    other = await otherProcess();
    await expect(newServer().start()).rejects.toMatchObject({
      codeName: 'portUnavailable',
      message: expect.stringContaining(folder.path),
    });
    const guest = await RawClient.connect(folder.path);
    expect((await guest.ask({ request: 'status' })).ok).toBe(true);

    other.kill('SIGKILL');
    await once(other, 'exit');
    expect(existsSync(folder.path)).toBe(true);
    const server = newServer();
    await server.start();
    expect((await (await RawClient.connect(folder.path)).ask({ request: 'status' })).ok).toBe(true);
    await server.stop();
  });
});
