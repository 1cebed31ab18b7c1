import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { endProcess, until } from '../harness.ts';

const RECEIVER = fileURLToPath(new URL('./notify-socket.py', import.meta.url));

/** What a service manager hears on its socket: the fields of each datagram. */
export interface NotifySocket {
  readonly path: string;
  readonly heard: ReadonlyArray<readonly string[]>;
}

/** Listens where systemd would. @param path `@…` for a name in the abstract namespace */
export async function notifySocket(path: string): Promise<NotifySocket> {
  const receiver = spawn('python3', [RECEIVER, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => endProcess(receiver));
  const lines: unknown[] = [];
  createInterface({ input: receiver.stdout }).on('line', (line) => lines.push(JSON.parse(line)));
  await until('the stand-in for the service manager listens', () => lines.length > 0);
  return {
    path,
    get heard() {
      return lines.filter((line): line is string[] => Array.isArray(line));
    },
  };
}
