import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFailed, onTestFinished } from 'vitest';
import { rowAt, writeSegment } from '../../src/dataset/segments/segments.testing.ts';
import { ACKNOWLEDGED } from '../../src/recording/acknowledged.ts';
import type { IntakeState } from '../../src/trainer/intake/intake.ts';
import { TestGateway } from '../gateway/rig.ts';
import { endProcess, environmentOf, temporaryFolder, until } from '../harness.ts';

const CHILD = fileURLToPath(new URL('./trainer-child.mjs', import.meta.url));

/** Sealed segments of some rows, in a folder. @returns their bytes by name */
export async function segmentsIn(folder: string, count: number, rows: number): Promise<Map<string, Buffer>> {
  mkdirSync(folder, { recursive: true });
  for (let number = 0; number < count; number++) {
    const first = 1 + 100_000 * number;
    await writeSegment(
      folder,
      Array.from({ length: rows }, (_, index) => rowAt(first + index)),
    );
  }
  return new Map(
    readdirSync(folder)
      .filter((name) => name.endsWith('.mcap'))
      .map((name) => [name, readFileSync(join(folder, name))]),
  );
}

/** A gateway with segments and without a control process. */
export class Sender {
  readonly folder = temporaryFolder();
  readonly recordings = join(this.folder, 'state', 'recordings');
  readonly configPath = join(this.folder, 'h2o-edge.yaml');
  gateway: TestGateway | undefined;

  constructor(url: string, upload: object = {}) {
    mkdirSync(this.recordings, { recursive: true });
    const config = { name: 'robot-1', broker: { url }, http: { port: 0 }, record: false, upload };
    writeFileSync(this.configPath, JSON.stringify(config));
  }

  start(): TestGateway {
    this.gateway = new TestGateway(this.configPath);
    return this.gateway;
  }

  /** Segments whose acknowledgement is noted. */
  get acknowledged(): string[] {
    return readdirSync(this.recordings).filter((name) => name.endsWith(ACKNOWLEDGED));
  }
}

interface Said {
  readonly counters: Readonly<Record<string, number>>;
  readonly state: IntakeState;
  readonly stored: readonly string[];
}

/** A trainer process that only takes datasets. */
export class Receiver {
  readonly process: ChildProcess;
  latest: Said | undefined;

  /** @param around a command that runs it */
  constructor(url: string, name: string, directory: string, around: readonly string[] = []) {
    const [program = process.execPath, ...words] = [...around, process.execPath, CHILD, url, name, directory];
    const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'], env: environmentOf() });
    this.process = child;
    let complaints = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      complaints += text;
    });
    createInterface(child.stdout).on('line', (line) => {
      this.latest = JSON.parse(line);
    });
    onTestFinished(() => endProcess(child));
    onTestFailed(() => {
      process.stderr.write(`trainer: ${complaints} ${JSON.stringify(this.latest)}`);
    });
  }

  said(what: string, isSo: (said: Said) => boolean): Promise<Said> {
    return until(what, () => this.latest && isSo(this.latest) && this.latest);
  }

  /** More chunks have come than now. */
  async receivesMore(): Promise<void> {
    const before = this.latest?.counters.chunks ?? 0;
    await this.said('more chunks come', ({ counters }) => (counters.chunks ?? 0) > before);
  }

  async kill(): Promise<void> {
    const gone = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await gone;
  }
}
