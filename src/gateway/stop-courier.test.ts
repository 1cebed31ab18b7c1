import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { jsonForSocket, MAX_REQUEST, SocketSplitter } from '../messages/socket-frame.ts';
import { statusOf } from '../messages/status.testing.ts';
import { StopCourier } from './stop-courier.ts';

let folder: string;
let courier: StopCourier;
let server: Server;
let sockets: Socket[];
let sources: string[];
/** what control answers to a stop */
let stages: Array<Record<string, unknown>>;

const ALL = [{ stage: 'received' }, { stage: 'latched', onDisk: true }, { stage: 'confirmed' }];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'h2o-courier-'));
  sockets = [];
  sources = [];
  stages = ALL;
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    const splitter = new SocketSplitter(MAX_REQUEST);
    socket.on('data', (bytes) => {
      splitter.push(bytes);
      for (let message = splitter.next(); message; message = splitter.next()) {
        const { id, request, source } = JSON.parse(message.payload.toString());
        if (request === 'status') {
          const estop = { ...statusOf().estop, latched: true, onDisk: true };
          socket.write(jsonForSocket({ id, ok: true, status: statusOf({ estop }) }));
        }
        if (request !== 'estop') continue;
        sources.push(source);
        for (const stage of stages) socket.write(jsonForSocket({ id, ok: true, ...stage }));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(join(folder, 'control.sock'), resolve));
  courier = new StopCourier({ runtimeDirectory: folder, patience: 100 });
});
afterEach(async () => {
  await courier.close();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

/** A stop, what its sender was told, and why not. */
async function stop(source = 'HTTP 127.0.0.1') {
  const told: string[] = [];
  const problem = await courier.stop(source, (stage, onDisk) => {
    told.push(stage === 'latched' ? `latched ${onDisk}` : stage);
  });
  return { told, problem };
}

describe('a stop on its way to control', () => {
  it('is told stage by stage', async () => {
    expect(await stop()).toEqual({ told: ['received', 'latched true', 'confirmed'], problem: undefined });
    expect(sources).toEqual(['HTTP 127.0.0.1']);
  });

  it('is one with those that come at the same moment, and not with one that was sent before', async () => {
    await stop('first');
    const both = await Promise.all([stop('second'), stop('third'), stop('fourth')]);
    expect(both.map(({ told }) => told.length)).toEqual([3, 3, 3]);
    expect(sources.slice(1).join()).toMatch(/second/);
    expect(sources.length).toBeLessThanOrEqual(3);
    await stop('fifth');
    expect(sources.at(-1)).toBe('fifth');
  });

  it('is sent again when control had closed the connection', async () => {
    await stop();
    for (const socket of sockets) socket.destroy();
    expect(await stop('again')).toMatchObject({ problem: undefined, told: ['received', 'latched true', 'confirmed'] });
    expect(sources).toEqual(['HTTP 127.0.0.1', 'again']);
  });

  it('of a flood that control does not follow to the end is told what became of it', async () => {
    stages = [{ stage: 'received' }];
    expect(await stop()).toEqual({ told: ['received', 'latched true'], problem: undefined });
  });

  it('that control is silent about is a problem, with a remedy', async () => {
    stages = [];
    expect(await stop()).toMatchObject({
      told: [],
      problem: { code: 'control-silent', remedy: expect.stringMatching(/power/) },
    });
  });
});
