import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { answers, freePort } from '../loopback.ts';
import { until } from '../until.ts';

/** What a bench starts, and what ends it: in the opposite order, whatever happened. */
export class Belongings {
  readonly #ends: Array<() => Promise<void> | void> = [];

  add(end: () => Promise<void> | void): void {
    this.#ends.unshift(end);
  }

  folder(): string {
    const folder = mkdtempSync(join(tmpdir(), 'h2o-bench-'));
    this.add(() => rmSync(folder, { recursive: true, force: true }));
    return folder;
  }

  /** A program that ends with the bench. */
  program(program: string, words: readonly string[]): ChildProcess {
    return this.#own(spawn(program, words, { stdio: ['ignore', 'ignore', 'inherit'] }));
  }

  /** A module of this folder as a process of its own, with messages both ways. @param prefix words before node */
  module(name: string, words: readonly string[], prefix: readonly string[] = []): ChildProcess {
    const path = fileURLToPath(new URL(name, import.meta.url));
    const [program = process.execPath, ...before] = prefix;
    if (prefix.length === 0) return this.#own(fork(path, words));
    const all = [...before, process.execPath, ...process.execArgv, path, ...words];
    return this.#own(spawn(program, all, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }));
  }

  async end(): Promise<void> {
    for (const end of this.#ends) await end();
  }

  #own(child: ChildProcess): ChildProcess {
    this.add(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 3000);
      await gone;
      clearTimeout(timer);
    });
    return child;
  }
}

/** A mosquitto of its own on this machine. @returns its address */
export const mosquitto = async (belongings: Belongings): Promise<string> => (await startMosquitto(belongings)).url;

export async function startMosquitto(belongings: Belongings): Promise<{ url: string; pid: number | undefined }> {
  const port = await freePort();
  const config = join(belongings.folder(), 'mosquitto.conf');
  const lines = [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    'persistence false',
    'log_type error',
    'log_type warning',
    // Without it the kernel may hold a small packet back for 40 ms, until the one before has been acknowledged.
    'set_tcp_nodelay true',
  ];
  writeFileSync(config, `${lines.join('\n')}\n`);
  const child = belongings.program('mosquitto', ['-c', config]);
  const problem = once(child, 'error').then(([error]) => Promise.reject(error));
  await Promise.race([problem, until('the broker listens', () => answers(port))]);
  problem.catch(() => {});
  return { url: `mqtt://127.0.0.1:${port}`, pid: child.pid };
}

/** The next message of a child that is so. */
export function message<T extends object>(child: ChildProcess, isSo: (message: T) => boolean): Promise<T> {
  return new Promise((resolve, reject) => {
    const onExit = () => {
      child.off('message', onMessage);
      reject(new Error('a process of the bench has ended'));
    };
    const onMessage = (received: T) => {
      if (!isSo(received)) return;
      child.off('message', onMessage);
      child.off('exit', onExit);
      resolve(received);
    };
    child.on('message', onMessage);
    child.once('exit', onExit);
  });
}
