import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { schedulingInForce } from '../facts/scheduling.ts';
import type { BenchRequest, FromBench, Observation, Observe, ToBench } from './bench-messages.ts';

/** How long the process that tries policies may take [ms]: long, since it gives way to everything else. */
export const BENCH_PATIENCE = 120_000;

/** How control asks for a policy to be tried. */
export interface Bench {
  /** the process is there; without it nothing can be tried */
  readonly isUp: boolean;
  /** told of each decision of the shadow */
  onObservation: (observation: Observation) => void;
  /** told when the process has ended, and how */
  onEnded: (how: string) => void;
  /** To be called only where a pause of tens of milliseconds costs nothing. */
  start(): void;
  /** Rejects when the process ends, or says why it could not; kills it when it does not answer in time. @param patience [ms] */
  ask(request: BenchRequest, patience: number): Promise<unknown>;
  /** Says what the shadow is to see. Never waits. */
  observe(observe: Observe): void;
  stop(): void;
}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/**
 * The process that tries policies. A process, since a model that hangs or crashes inside of ONNX Runtime takes its whole
 * process with it, threads and all; and kept, since making one stops control for 1 ms to 20 ms, 500 ms where it is large
 * (measured), which an armed robot does not have. So it is made before the port is opened, or while the robot is not armed.
 * It never runs at control's real-time priority, where it could hold up control itself.
 */
export class BenchProcess implements Bench {
  onObservation: (observation: Observation) => void = () => {};
  onEnded: (how: string) => void = () => {};
  readonly #waiting = new Map<number, Waiting>();
  #child: ChildProcess | undefined;
  #nextId = 1;

  get isUp(): boolean {
    return this.#child !== undefined;
  }

  /** Number of the process, for whoever watches it. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  start(): void {
    if (this.#child) return;
    const [program = process.execPath, ...words] = [...ordinaryPrefix(), process.execPath, ...entry()];
    const child = spawn(program, words, {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      serialization: 'advanced',
      env: { ...process.env, ORT_DISABLE_TELEMETRY: '1', UV_THREADPOOL_SIZE: '4' },
    });
    this.#child = child;
    child.on('message', (message: FromBench) => this.#heard(message));
    child.on('error', (error) => this.#ended(child, error.message));
    child.on('exit', (code, signal) => this.#ended(child, signal ?? `code ${code}`));
    // Control ends when it is told to, whatever is being tried.
    child.unref();
    child.channel?.unref();
  }

  ask(request: BenchRequest, patience: number): Promise<unknown> {
    const child = this.#child;
    if (!child) return Promise.reject(new Error('the process that tries policies is not running'));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#settle(id)?.reject(new Error(`no answer within ${patience / 1000} s`));
        child.kill('SIGKILL');
      }, patience);
      this.#waiting.set(id, { resolve, reject, timer });
      this.#send(child, { id, ...request });
    });
  }

  observe(observe: Observe): void {
    if (this.#child) this.#send(this.#child, observe);
  }

  stop(): void {
    this.#child?.kill('SIGKILL');
  }

  #send(child: ChildProcess, message: ToBench): void {
    // Without a callback a channel that has just closed would throw out of the process; its end is told anyway.
    if (child.connected) child.send(message, () => {});
  }

  #heard(message: FromBench): void {
    if ('observed' in message) {
      this.onObservation(message);
      return;
    }
    const waiting = this.#settle(message.id);
    if (message.ok) waiting?.resolve(message.result);
    else waiting?.reject(new Error(message.problem));
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    clearTimeout(waiting?.timer);
    this.#waiting.delete(id);
    return waiting;
  }

  #ended(child: ChildProcess, how: string): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    for (const id of [...this.#waiting.keys()]) {
      this.#settle(id)?.reject(new Error(`the process that ran it ended (${how})`));
    }
    this.onEnded(how);
  }
}

/** Words before a command that take real-time priority from it, and let others go first. */
function ordinaryPrefix(): string[] {
  const nice = spawnSync('nice', ['true']).status === 0 ? ['nice', '-n', '10'] : [];
  return schedulingInForce().policy === 'SCHED_OTHER' ? nice : ['chrt', '--other', '0', ...nice];
}

/** The built program starts the built file; run from sources, in tests, node first needs a loader for them. */
function entry(): string[] {
  if (!import.meta.url.endsWith('.ts')) return [fileURLToPath(new URL('./bench-process.js', import.meta.url))];
  const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  return ['--import', loader, fileURLToPath(new URL('./bench-process.ts', import.meta.url))];
}
