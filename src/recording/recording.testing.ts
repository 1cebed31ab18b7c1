import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { RawSensor } from '../messages/config.ts';
import { transitionMessage } from './channels.ts';
import type { RecorderClock } from './clock.ts';
import { type Disk, type OutputFile, realDisk } from './disk.ts';
import type { RecorderLimits } from './limits.ts';
import { Recorder, type RecorderProblem } from './recorder.ts';
import { peekRow } from './row-key.ts';
import { BOOT, rowNumber } from './rows.testing.ts';
import { readRows } from './segment-reader.ts';

/**
 * A folder that goes with the test.
 * @param last registers what is to be done at the end: `afterAll` for a folder that tests share
 */
export function temporaryFolder(last: (action: () => void) => void = onTestFinished): string {
  const folder = mkdtempSync(join(tmpdir(), 'h2o-recording-'));
  last(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Rows `first` to `last` as messages. */
export const messagesOf = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => {
    const row = rowNumber(first + index);
    const key = peekRow(row);
    if (key === undefined) throw new Error('a row that cannot be read');
    return transitionMessage(row, key, key.wallNs);
  });

/** Numbers of the rows in a file, checked against what they have to contain. */
export async function rowsIn(path: string): Promise<number[]> {
  const numbers: number[] = [];
  for await (const row of readRows(path)) {
    const key = peekRow(row);
    if (key === undefined) throw new Error('a row that cannot be read');
    const number = Number(key.sequence);
    if (Buffer.compare(rowNumber(number, key.boot), row) !== 0) throw new Error(`row ${number} has other contents`);
    numbers.push(number);
  }
  return numbers;
}

/** Whole numbers from `first` to `last`. */
export const range = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

/** Time that stands still until it is told to go on. */
export class VirtualClock implements RecorderClock {
  #nowMs = 0;
  #timers: Array<{ at: number; action: () => void }> = [];

  wallNs(): bigint {
    return 1_700_000_000_000_000_000n + BigInt(this.#nowMs) * 1_000_000n;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delay: number, action: () => void): () => void {
    const timer = { at: this.#nowMs + delay, action };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    const due = this.#timers.filter(({ at }) => at <= this.#nowMs);
    this.#timers = this.#timers.filter(({ at }) => at > this.#nowMs);
    for (const { action } of due) action();
  }
}

export const failure = (code: string): Error => Object.assign(new Error(`${code}: made by a test`), { code });

/** A real folder on a disk that can be full, broken or slow. */
export class TroubledDisk implements Disk {
  /** operations asked for */
  operations = 0;
  /** bytes that still fit; what is removed or cut off does not come back by itself */
  room = Number.POSITIVE_INFINITY;
  /** the most that one write takes */
  appetite = Number.POSITIVE_INFINITY;
  /** codes of what fails, as long as they stand here */
  readonly broken: { write?: string; sync?: string; truncate?: string; rename?: string; create?: string } = {};
  #held: Promise<void> | undefined;

  /** Syncs wait until the returned function is called. */
  hold(): () => void {
    let release = () => {};
    this.#held = new Promise((resolve) => {
      release = () => {
        this.#held = undefined;
        resolve();
      };
    });
    return () => release();
  }

  async create(path: string): Promise<OutputFile> {
    this.#begin('create');
    const file = await realDisk.create(path);
    return {
      write: async (bytes, position) => {
        this.#begin('write');
        if (bytes.length > 0 && this.room <= 0) throw failure('ENOSPC');
        const taken = await file.write(bytes.subarray(0, Math.min(this.room, this.appetite)), position);
        this.room -= taken;
        return taken;
      },
      sync: async () => {
        this.#begin('sync');
        await this.#held;
        await file.sync();
      },
      truncate: async (length) => {
        this.#begin('truncate');
        await file.truncate(length);
      },
      close: () => file.close(),
    };
  }

  async rename(from: string, to: string): Promise<void> {
    this.#begin('rename');
    await realDisk.rename(from, to);
  }

  exists = realDisk.exists;
  remove = realDisk.remove;
  syncDirectory = realDisk.syncDirectory;

  async freeBytes(): Promise<number> {
    return this.room;
  }

  #begin(operation: 'write' | 'sync' | 'truncate' | 'rename' | 'create'): void {
    this.operations += 1;
    const code = this.broken[operation];
    if (code) throw failure(code);
  }
}

/** Waits for something that will come true; the test's own time-out is the only limit. */
export async function until(look: () => boolean): Promise<void> {
  while (!look()) await new Promise((resolve) => setImmediate(resolve));
}

/** A recorder that has started, on a virtual clock and a disk that can be troubled; it ends with the test. */
export async function recording(
  directory = temporaryFolder(),
  limits: Partial<RecorderLimits> = {},
  raw: readonly RawSensor[] = [],
) {
  const clock = new VirtualClock();
  const disk = new TroubledDisk();
  const durable: number[] = [];
  const problems: RecorderProblem['kind'][] = [];
  const recorder = new Recorder({
    directory,
    robot: 'robot-1',
    revision: '1.2.3',
    clock,
    disk,
    limits,
    raw,
    onDurable: ({ sequence }) => durable.push(Number(sequence)),
    onProblem: ({ kind }) => problems.push(kind),
  });
  await recorder.start();
  onTestFinished(() => recorder.stop());
  const rows = (first: number, last: number, boot = BOOT) => {
    for (const number of range(first, last)) recorder.row(rowNumber(number, boot));
  };
  return { directory, recorder, clock, disk, durable, problems, rows };
}
