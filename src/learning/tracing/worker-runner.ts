import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { EdgeError, type ErrorCodeName, messageOf } from '../../errors.ts';
import type { NamedData, Runner, StepInputs } from '../runner.ts';
import { type GraphRunnerOptions, inputParcel, type Program } from './graph-runner.ts';
import { type Parcel, unpacked } from './packing.ts';

/** What the thread is started with. */
export interface Start {
  readonly program: Program;
  readonly state: NamedData;
  readonly options: GraphRunnerOptions;
}

export type Request =
  | { readonly kind: 'ready' | 'getState' | 'dispose' }
  | { readonly kind: 'run'; readonly inputs: Parcel }
  | { readonly kind: 'setState'; readonly state: NamedData };

export interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: { readonly codeName: ErrorCodeName; readonly message: string; readonly remedy: string };
}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** A traced step in a thread of its own: the same numbers as a `GraphRunner`, while this thread stays free. */
export class WorkerRunner implements Runner {
  readonly #worker: Worker;
  readonly #program: Program;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 0;
  #gone: unknown;

  private constructor(worker: Worker, program: Program) {
    this.#worker = worker;
    this.#program = program;
    worker.on('message', (answer: Answer) => this.#settle(answer));
    worker.on('error', (error) => this.#end(error));
    worker.on('exit', (code) => this.#end(new Error(`it ended with code ${code}`)));
    // A program whose work is done is not kept alive by a runner that nobody waits for.
    worker.unref();
  }

  /**
   * @param state values of all variables to start from
   * @throws EdgeError as `GraphRunner.create`
   */
  static async create(program: Program, state: NamedData, options: GraphRunnerOptions = {}): Promise<WorkerRunner> {
    const start: Start = { program, state, options: { flushDenormals: true, ...options } };
    const runner = new WorkerRunner(startThread(start), program);
    try {
      await runner.#ask({ kind: 'ready' });
    } catch (error) {
      await runner.#worker.terminate();
      throw error;
    }
    return runner;
  }

  async run(inputs: StepInputs): Promise<NamedData> {
    const outputs = await this.#ask({ kind: 'run', inputs: inputParcel(this.#program, inputs) });
    return unpacked(this.#program.packs.outputs, outputs as Parcel);
  }

  async getState(): Promise<NamedData> {
    return (await this.#ask({ kind: 'getState' })) as NamedData;
  }

  async setState(state: NamedData): Promise<void> {
    await this.#ask({ kind: 'setState', state });
  }

  async dispose(): Promise<void> {
    if (this.#gone !== undefined) return;
    await this.#ask({ kind: 'dispose' });
    this.#end(new Error('it was disposed of'));
    await this.#worker.terminate();
  }

  #ask(request: Request): Promise<unknown> {
    if (this.#gone !== undefined) return Promise.reject(ended(this.#gone));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.ref();
      this.#worker.postMessage({ id, request });
    });
  }

  #settle({ id, result, error }: Answer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if (error) waiting?.reject(new EdgeError(error.codeName, error.message, error.remedy));
    else waiting?.resolve(result);
  }

  #end(reason: unknown): void {
    this.#gone ??= reason;
    for (const { reject } of this.#waiting.values()) reject(ended(reason));
    this.#waiting.clear();
  }
}

const ended = (reason: unknown): EdgeError =>
  new EdgeError('stepInvalid', `the training thread is gone: ${messageOf(reason)}`, 'resume from the last checkpoint');

/** The built program starts the built file; run from sources (tests, benches), the thread first needs a loader for them. */
function startThread(workerData: Start): Worker {
  if (!import.meta.url.endsWith('.ts'))
    return new Worker(new URL('./graph-worker.js', import.meta.url), { workerData });
  const loader = new URL(
    'dist/esm/api/index.mjs',
    pathToFileURL(createRequire(import.meta.url).resolve('tsx/package.json')),
  );
  const entry = new URL('./graph-worker.ts', import.meta.url).href;
  const start = `import(${JSON.stringify(loader.href)}).then(({ tsImport }) => tsImport(${JSON.stringify(entry)}, ${JSON.stringify(entry)}))`;
  return new Worker(start, { eval: true, workerData });
}
