import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EdgeError } from '../../../errors.ts';
import { exitOf } from '../../run.ts';
import { end } from '../stage.ts';

/** A mosquitto of the demo's own, on the loopback alone. */
export interface PrivateMosquitto {
  readonly url: string;
  /** says how it ended */
  readonly ended: Promise<string>;
  stop(): Promise<void>;
}

const MISSING = [
  'mosquitto is not installed, and the embedded broker has no shared subscriptions, which trainers need',
  '`apt-get install mosquitto`, or name a broker that has them with --broker',
] as const;

/** Where Debian installs it, which is not on the path of everybody. */
const ELSEWHERE = '/usr/sbin:/usr/local/sbin';

/**
 * @param folder for its configuration
 * @param program its name, or path
 * @throws EdgeError `notRunning`
 */
export async function startMosquitto(folder: string, program = 'mosquitto'): Promise<PrivateMosquitto> {
  const port = await freePort();
  const config = join(folder, 'mosquitto.conf');
  writeFileSync(config, `listener ${port} 127.0.0.1\nallow_anonymous true\npersistence false\n`);
  const child = spawn(program, ['-c', config], {
    stdio: 'ignore',
    detached: true,
    env: { ...process.env, PATH: `${process.env.PATH ?? ''}:${ELSEWHERE}` },
  });
  const ended = exitOf(child);
  const started = await Promise.race([
    once(child, 'spawn').then(
      () => true,
      () => false,
    ),
    ended.then(() => false),
  ]);
  if (!started) throw new EdgeError('notRunning', ...MISSING);
  const stop = () => end(child);
  for (let look = 0; look < 100; look++) {
    if (child.exitCode !== null || child.signalCode !== null) break;
    if (await answers(port)) return { url: `mqtt://127.0.0.1:${port}`, ended, stop };
    await sleep(50);
  }
  await stop();
  throw new EdgeError(
    'notRunning',
    `mosquitto does not answer on port ${port} of the loopback`,
    `look what \`mosquitto -c ${config}\` says, or name a broker with --broker`,
  );
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
