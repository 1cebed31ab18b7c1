import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { configPath, findConfig, withConfig } from './context.ts';
import { complain } from './output.ts';

const cli = fileURLToPath(new URL('../h2o-edge.cjs', import.meta.url));

/** Longest wait before a process that ends again and again is started once more [ms]. */
const LONGEST_PAUSE = 5000;
/** A process that ran this long has started well; the next pause is short again [ms]. */
const SETTLED = 10_000;

export function registerRun(program: Command): void {
  withConfig(program.command('run'))
    .description('start and supervise everything that a robot needs')
    .action(async (options: { config?: string }) => {
      const config = findConfig(options);
      const path = configPath(options);
      const control = supervise('control', () => startControl(path, config.realTimePriority));
      const gateway = supervise('gateway', () => startGateway(path));
      const stop = () => {
        // Control first: what the gateway still records is how the robot came to rest.
        control.stop();
        void control.ended.then(() => gateway.stop());
      };
      process.on('SIGTERM', stop);
      process.on('SIGINT', stop);
      process.on('SIGHUP', stop);
      await Promise.all([control.ended, gateway.ended]);
    });
}

/** Words before a command that give it SCHED_FIFO, where this user may; else none. */
export function realTimePrefix(priority: number): string[] {
  if (priority === 0) return [];
  const words = ['chrt', '-f', String(priority)];
  const allowed = spawnSync('chrt', ['-f', String(priority), 'true']).status === 0;
  return allowed ? words : [];
}

/** `detached`: not reached by the terminal's Ctrl-C; whoever started it ends it. */
interface StartOptions {
  readonly detached?: boolean;
}

/** Starts the control process with what it cannot give itself: priority. */
export function startControl(config: string, priority: number, options: StartOptions = {}): ChildProcess {
  const [program = process.execPath, ...words] = [
    ...realTimePrefix(priority),
    process.execPath,
    cli,
    'control',
    '--config',
    config,
  ];
  return spawn(program, words, { stdio: ['ignore', 'inherit', 'inherit'], ...options });
}

/** Starts the gateway process; it must never compete with control. */
export const startGateway = (config: string, options: StartOptions = {}): ChildProcess =>
  spawn(process.execPath, [cli, 'gateway', '--config', config], {
    stdio: ['ignore', 'inherit', 'inherit'],
    ...options,
  });

interface Supervised {
  stop(): void;
  readonly ended: Promise<void>;
}

/** Keeps a process running. A control that is started again begins disarmed, so this moves nothing. */
function supervise(name: string, start: () => ChildProcess): Supervised {
  let stopping = false;
  let child: ChildProcess | undefined;
  const ended = (async () => {
    let pause = 100;
    while (!stopping) {
      const began = performance.now();
      child = start();
      const how = await exitOf(child);
      if (stopping) break;
      if (performance.now() - began > SETTLED) pause = 100;
      complain(`h2o-edge: ${name} ended (${how}); starting it again in ${pause} ms`);
      await new Promise((resolve) => setTimeout(resolve, pause));
      pause = Math.min(2 * pause, LONGEST_PAUSE);
    }
  })();
  return {
    stop() {
      stopping = true;
      child?.kill('SIGTERM');
    },
    ended,
  };
}

/** How a process ended, in words. */
export const exitOf = (child: ChildProcess): Promise<string> =>
  new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal ?? `code ${code}`));
  });
