import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Aedes } from 'aedes';

/** Brokers for tests, on the loopback only: aedes in this process, and mosquitto as a child where it is installed. */

export interface TestBroker {
  readonly url: string;
  readonly port: number;
  stop(): Promise<void>;
}

export type StartBroker = (port?: number) => Promise<TestBroker>;

/** Waits until something is so; a test that waits in vain ends by its own time limit. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 1));
}

export const startAedes: StartBroker = async (port = 0) => {
  const aedes = await Aedes.createBroker();
  const { server, sockets } = trackedServer(aedes.handle);
  await listen(server, port);
  const bound = portOf(server);
  return {
    url: `mqtt://127.0.0.1:${bound}`,
    port: bound,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await new Promise<void>((resolve) => aedes.close(resolve));
    },
  };
};

/** Why there are no tests with mosquitto here; empty if there are. */
export const mosquittoMissing = (() => {
  try {
    execFileSync('mosquitto', ['-h'], { stdio: 'pipe' });
    return '';
  } catch (error) {
    // It prints its help and exits with 3.
    const started = typeof error === 'object' && error !== null && 'status' in error && error.status !== null;
    return started ? '' : 'mosquitto is not installed';
  }
})();

/** @param more lines of its configuration */
export const startMosquitto = async (port?: number, more: readonly string[] = []): Promise<TestBroker> => {
  const bound = port ?? (await freePort());
  const folder = mkdtempSync(join(tmpdir(), 'h2o-mosquitto-'));
  const config = join(folder, 'mosquitto.conf');
  const lines = [`listener ${bound} 127.0.0.1`, 'allow_anonymous true', 'persistence false', 'user root', ...more];
  writeFileSync(config, `${lines.join('\n')}\n`);
  const child: ChildProcess = spawn('mosquitto', ['-c', config], { stdio: 'ignore' });
  await until(() => child.exitCode !== null || child.pid !== undefined);
  while (!(await canConnect(bound))) {
    if (child.exitCode !== null) throw new Error(`mosquitto ended with ${child.exitCode}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return {
    url: `mqtt://127.0.0.1:${bound}`,
    port: bound,
    async stop() {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      rmSync(folder, { recursive: true });
    },
  };
};

/** Both, for `describe.each`; the name says why one is skipped. */
export const BROKERS: ReadonlyArray<{ readonly name: string; readonly missing: string; readonly start: StartBroker }> =
  [
    { name: 'aedes', missing: '', start: startAedes },
    {
      name: `mosquitto${mosquittoMissing === '' ? '' : ` (skipped: ${mosquittoMissing})`}`,
      missing: mosquittoMissing,
      start: (port) => startMosquitto(port),
    },
  ];

/** A server that does what a test says with each connection. */
export async function startServer(welcome: (socket: Socket) => void, port = 0): Promise<TestBroker> {
  const { server, sockets } = trackedServer(welcome);
  await listen(server, port);
  const bound = portOf(server);
  return {
    url: `mqtt://127.0.0.1:${bound}`,
    port: bound,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A port on which nobody listens. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await listen(server, 0);
  const port = portOf(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function trackedServer(welcome: (socket: Socket) => void): { server: Server; sockets: Set<Socket> } {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
    welcome(socket);
  });
  return { server, sockets };
}

const listen = (server: Server, port: number) =>
  new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

const canConnect = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
