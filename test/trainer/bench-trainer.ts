import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync, type MqttClient } from 'mqtt';
import { onTestFailed, onTestFinished } from 'vitest';
import { stringify } from 'yaml';
import { rowAt, writeSegment } from '../../src/dataset/segments/segments.testing.ts';
import { generateKeyPair, writePrivateKey } from '../../src/keys/key-pair.ts';
import { SegmentStore } from '../../src/trainer/store/segment-store.ts';
import { CLI, endProcess, environmentOf, temporaryFolder, until } from '../harness.ts';

export const ROBOT = 'robot-1';
export const TASK = 'standing-still';
export const POLICY = 'standing-still-h2o';

/** Rows that a robot which hardly moves would record. */
function rows(first: number, count: number) {
  const state = (n: number) => [
    0.1 * Math.sin(n / 40),
    0.2 * Math.cos(n / 40),
    0.03 * Math.sin(n / 9),
    0.2 * Math.cos(n / 9),
  ];
  return Array.from({ length: count }, (_, index) => {
    const n = first + index;
    const torque = 0.3 * Math.sin(n / 7);
    return rowAt(n, {
      state: state(n),
      nextState: state(n + 1),
      requestedTorque: torque,
      commandedTorque: torque,
      appliedTorque: torque,
      reward: 29,
    });
  });
}

/** A trainer with real processes, a store with segments, and everything small. */
export class TestTrainer {
  readonly folder: string;
  readonly url: string;
  readonly key = generateKeyPair();
  log = '';
  #process: ChildProcess | undefined;

  constructor(url: string, task: object = {}, limits: object = {}) {
    this.url = url;
    this.folder = temporaryFolder();
    writePrivateKey(join(this.folder, 'release.pem'), this.key.privateKey);
    const config = {
      id: 'lab',
      directory: 'kept',
      broker: { url },
      releaseKey: 'release.pem',
      logLevel: 'debug',
      limits: { leaveFreeMegabytes: 0, ...limits },
      tasks: {
        [TASK]: {
          algorithm: 'h2o',
          steps: 300,
          checkpointEvery: 20,
          minRows: 300,
          newRows: 300,
          set: ['networks.hidden=[8,8]', 'networks.discriminatorHidden=[8,8]', 'training.warmUp=20'],
          gate: { evaluations: [{ dynamics: 'simulator', seeds: 1, seconds: 1 }], notWorseIn: [] },
          ...task,
        },
      },
    };
    writeFileSync(join(this.folder, 'trainer.yaml'), stringify(config));
    onTestFailed(() => {
      process.stderr.write(this.log);
    });
  }

  get config(): string[] {
    return ['--config', join(this.folder, 'trainer.yaml')];
  }

  get kept(): string {
    return join(this.folder, 'kept');
  }

  /** Puts rows into its store, as if a robot had uploaded them; it must not run. */
  async stock(first: number, count: number): Promise<void> {
    const folder = temporaryFolder();
    mkdirSync(this.kept, { recursive: true });
    await writeSegment(folder, rows(first, count));
    const store = await SegmentStore.open(this.kept);
    for (const segment of readdirSync(folder)) {
      const path = join(folder, segment);
      const { createHash } = await import('node:crypto');
      const sha256 = createHash('sha256').update(readFileSync(path)).digest('hex');
      await store.add({ path, robot: ROBOT, segment, sha256 });
    }
    await store.close();
  }

  start(): ChildProcess {
    const child = spawn(process.execPath, [CLI, 'trainer', ...this.config], { env: environmentOf() });
    this.#process = child;
    onTestFinished(() => endProcess(child));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.log += text;
    });
    return child;
  }

  /** kill -9 of the service alone. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (!child) return;
    const gone = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  jobs(): string[] {
    const path = join(this.kept, 'jobs');
    return existsSync(path) ? readdirSync(path).sort() : [];
  }

  job(id: string): Record<string, unknown> & { end: { outcome: string; reason: string } | null; attempt: number } {
    return JSON.parse(readFileSync(join(this.kept, 'jobs', id, 'job.json'), 'utf8'));
  }

  checkpoints(id: string): string[] {
    const path = join(this.kept, 'jobs', id, 'run', 'checkpoints');
    return existsSync(path) ? readdirSync(path).filter((name) => name.endsWith('.checkpoint')) : [];
  }

  /** Waits stage by stage, each with its own patience: a busy machine takes its time for every process that it starts. */
  async ended(): Promise<string> {
    const [id = ''] = await until('there is a job', () => this.jobs().length > 0 && this.jobs());
    const metrics = join(this.kept, 'jobs', id, 'run', 'metrics.jsonl');
    const over = () => this.job(id).end !== null;
    await until('it trains', () => over() || (existsSync(metrics) && statSync(metrics).size > 0));
    await until('it is trained', () => over() || this.job(id).stage !== 'training');
    await until('it is judged', () => over() || this.job(id).stage === 'signing');
    await until('the job has ended', over);
    return id;
  }

  versions(): string[] {
    const path = join(this.kept, 'policies', POLICY);
    return existsSync(path) ? readdirSync(path).sort() : [];
  }
}

/** A client of the broker, gone with the test. */
export async function client(url: string): Promise<MqttClient> {
  const made = await connectAsync(url, { protocolVersion: 5, reconnectPeriod: 200 });
  onTestFinished(() => {
    made.end(true);
  });
  made.on('error', () => {});
  return made;
}
