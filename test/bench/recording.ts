import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { say } from '../../src/commands/output.ts';
import { EdgeError } from '../../src/errors.ts';
import { ROW_BYTES, ROW_LAYOUT } from '../../src/messages/row.ts';
import { CHUNK_BYTES } from '../../src/recording/channels.ts';
import { type Disk, realDisk } from '../../src/recording/disk.ts';
import { Recorder } from '../../src/recording/recorder.ts';
import { rowNumber } from '../../src/recording/rows.testing.ts';
import { verifyDirectory } from '../../src/recording/verify.ts';
import { Belongings } from './children.ts';
import { quantiles } from './quantiles.ts';

const HERTZ = 500;
const SECONDS = 3600;
const ROWS = HERTZ * SECONDS;
/** The hour is recorded in so many portions; plain writes are measured between them, on the same disk at the same time. */
const PORTIONS = 60;
const PLAIN_PER_PORTION = 10;
/** Rows whose contents differ; the others repeat them under other numbers, since making rows is not what is measured. */
const DIFFERENT = 1000;
/** Rows that come at once, as they do from a socket. */
const BATCH = 50;
/** Rows that wait at most, as many as `control` would have sent before it hears of the first. */
const MOST_WAITING = 2000;

const offsetOf = (wanted: string): number => {
  const size = { u8: 1, u32: 4, u64: 8, f32: 4 } as const;
  let at = 0;
  for (const [name, type, count = 1] of ROW_LAYOUT as ReadonlyArray<readonly [string, keyof typeof size, number?]>) {
    if (name === wanted) return at;
    at += size[type] * count;
  }
  throw new TypeError(`a row has no ${wanted}`);
};
const SEQUENCE = offsetOf('sequence');
const WALL = offsetOf('wallNs');
const MONOTONIC = offsetOf('monotonicNs');

/** Gives rows, the same buffer again and again. */
function rowSource(): (number: number) => Uint8Array {
  const different = Array.from({ length: DIFFERENT }, (_, index) => rowNumber(index));
  const row = new Uint8Array(ROW_BYTES);
  const view = new DataView(row.buffer);
  return (number) => {
    row.set(different[number % DIFFERENT] ?? row);
    const ns = BigInt(number) * BigInt(1e9 / HERTZ);
    view.setBigUint64(SEQUENCE, BigInt(number), true);
    view.setBigUint64(MONOTONIC, ns, true);
    view.setBigUint64(WALL, 1_700_000_000_000_000_000n + ns, true);
    return row;
  };
}

/** The real disk; notes how long it takes from the first write of a commit to the end of its sync [ms]. */
function timedDisk(commits: number[]): Disk {
  return {
    ...realDisk,
    create: async (path) => {
      const file = await realDisk.create(path);
      let began: number | undefined;
      return {
        ...file,
        write: (bytes, position) => {
          began ??= performance.now();
          return file.write(bytes, position);
        },
        sync: async () => {
          await file.sync();
          if (began !== undefined) commits.push(performance.now() - began);
          began = undefined;
        },
      };
    },
  };
}

/** As many bytes as a commit has, appended and synced without anything around it. */
async function plainWrites(folder: string, writes: number[], syncs: number[]): Promise<void> {
  const handle = await open(join(folder, 'plain'), 'w');
  const bytes = new Uint8Array(CHUNK_BYTES).fill(0xa5);
  for (let count = 0; count < PLAIN_PER_PORTION; count++) {
    const began = performance.now();
    await handle.write(bytes, 0, bytes.length, count * bytes.length);
    const written = performance.now();
    await handle.datasync();
    const synced = performance.now();
    writes.push(synced - began);
    syncs.push(synced - written);
  }
  await handle.close();
}

const p50AndP99 = (values: readonly number[]) => {
  const { p50Ms, p99Ms } = quantiles(values);
  return { p50: p50Ms, p99: p99Ms };
};

/**
 * An hour of rows at 500 Hz through the recorder onto the disk of the temporary folder ($TMPDIR chooses another), as fast
 * as it takes them, and read back.
 */
export async function recording(): Promise<object> {
  const belongings = new Belongings();
  try {
    return await measure(belongings.folder());
  } finally {
    await belongings.end();
  }
}

async function measure(folder: string): Promise<object> {
  const directory = join(folder, 'recordings');
  const [commits, plain, syncs]: [number[], number[], number[]] = [[], [], []];
  let trouble = '';
  let durable = -1;
  let heard = () => {};
  const news = () =>
    new Promise<void>((resolve) => {
      heard = resolve;
    });
  const recorder = new Recorder({
    directory,
    robot: 'bench',
    revision: 'bench',
    disk: timedDisk(commits),
    onDurable: ({ sequence }) => {
      durable = Number(sequence);
      heard();
    },
    onProblem: ({ kind, message }) => {
      trouble ||= `${kind}: ${message}`;
      heard();
    },
  });
  await recorder.start();
  // What the recorder does at its start is no commit.
  commits.length = 0;
  const rowOf = rowSource();
  let wallMs = 0;
  let cpuMs = 0;
  for (let portion = 0; portion < PORTIONS; portion++) {
    const began = performance.now();
    const cpu = process.cpuUsage();
    const last = ((portion + 1) * ROWS) / PORTIONS;
    for (let number = (portion * ROWS) / PORTIONS; number < last; ) {
      for (let count = 0; count < BATCH && number < last; count++) recorder.row(rowOf(number++));
      while (number - durable > MOST_WAITING && trouble === '') await news();
    }
    await recorder.flush();
    const used = process.cpuUsage(cpu);
    wallMs += performance.now() - began;
    cpuMs += (used.user + used.system) / 1000;
    if (trouble !== '') throw new EdgeError('recordingFailed', trouble, 'set TMPDIR to a folder with 1 GB free');
    await plainWrites(folder, plain, syncs);
  }
  await recorder.stop();
  const { rows, gaps, corrupt, ok, files } = await verifyDirectory(directory);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const round = (value: number) => Math.round(10 * value) / 10;
  const figures = {
    rows,
    bytesPerRow: round(bytes / rows),
    timesRealTime: round((1000 * SECONDS) / wallMs),
    commitMs: p50AndP99(commits),
    fdatasyncMs: p50AndP99(syncs),
    writeAndFdatasyncMs: p50AndP99(plain),
    cpuTimesRealTime: round((1000 * SECONDS) / cpuMs),
    commits: commits.length,
    segments: files.length,
    verified: ok && gaps === 0 && corrupt === 0 && rows === ROWS,
  };
  const { commitMs, fdatasyncMs, writeAndFdatasyncMs } = figures;
  const line = (what: string, { p50, p99 }: { p50: number; p99: number }) =>
    say(`${what.padEnd(34)} p50 ${p50.toFixed(2).padStart(8)} ms   p99 ${p99.toFixed(2).padStart(8)} ms`);
  say(`${rows} rows, ${figures.bytesPerRow} bytes each, ${figures.timesRealTime} times real time at ${HERTZ} Hz`);
  line('commit', commitMs);
  line('plain write of 64 KiB + fdatasync', writeAndFdatasyncMs);
  line('its fdatasync alone', fdatasyncMs);
  return figures;
}
