import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { systemClock } from '../../src/recording/clock.ts';
import { Recorder } from '../../src/recording/recorder.ts';
import { rowNumber } from '../../src/recording/rows.testing.ts';
import { verifyDirectory } from '../../src/recording/verify.ts';

/** A process that records rows as fast as it can, and says on stdout what it was told to be safe. */

const [mode, directory = '', first = '1'] = process.argv.slice(2);

const say = (line: string) => writeSync(1, `${line}\n`);

let durable = 0;
let troubled = false;
const recorder = new Recorder({
  directory,
  robot: 'robot-1',
  revision: 'test',
  // A disk that is full is looked at again at once.
  clock: { ...systemClock, after: (delay, action) => systemClock.after(delay >= 5000 ? delay / 100 : delay, action) },
  limits: { segmentBytes: mode === 'short' ? 64 << 20 : 1 << 20, minimumFreeBytes: 0, waitingBytes: 1 << 19 },
  onDurable: ({ sequence }) => {
    durable = Number(sequence);
    say(`durable ${durable}`);
  },
  onProblem: ({ kind, message }) => {
    troubled ||= kind === 'disk-full' || kind === 'io-error';
    say(`problem ${kind} ${message}`);
  },
  onRecovered: () => {
    troubled = false;
    say('recovered');
  },
});

/** Rows from a number on, until there is a reason to stop; resends what did not find room, as `control` does. */
async function record(from: number, until: () => boolean): Promise<void> {
  for (let number = from; !until(); await turn()) {
    for (let count = 0; count < 200; count++) recorder.row(rowNumber(number++));
    // A sender that knows what is safe sends no more than fits.
    while (recorder.counters.waiting > 1000 && !until()) {
      await recorder.flush();
      await turn();
    }
  }
}

async function report(): Promise<void> {
  const { files, ...sums } = await verifyDirectory(directory);
  say(JSON.stringify({ durable, ...sums }));
}

/** Waits until recording goes on by itself; then rows from the first that is not safe on, as `control` sends them. */
async function goOn(): Promise<void> {
  const before = recorder.counters.rowsDurable;
  while (recorder.problem) await turn();
  await recorder.flush();
  await record(durable + 1, () => recorder.counters.rowsDurable > before + 5000);
}

const ballast = join(directory, 'ballast');
const remount = (how: string) => execFileSync('mount', ['-o', `remount,${how}`, directory]);

const MODES: Readonly<Record<string, () => Promise<void>>> = {
  /** until it is killed */
  fast: () => record(Number(first), () => false),
  /** until the disk is full */
  fill: () => record(1, () => troubled),
  /** the same, where files may not grow */
  short: () => record(1, () => troubled),
  /** until the disk is full; then there is room, and what waits and what comes later go into a new segment */
  room: async () => {
    await record(1, () => troubled);
    await report();
    rmSync(ballast);
    await goOn();
  },
  /** the disk fails and comes back on its own */
  trouble: async () => {
    await record(1, () => troubled);
    await goOn();
  },
  /** between two segments the disk becomes read-only, as Linux does it with a file system that is damaged */
  readonly: async () => {
    await record(1, () => recorder.counters.rowsDurable > 5000);
    recorder.setBehaviour({});
    await recorder.flush();
    remount('ro');
    await record(durable + 1, () => troubled);
    await report();
    remount('rw');
    await goOn();
  },
};

if (mode === 'verify') {
  await report();
} else {
  if (mode === 'room') writeFileSync(ballast, new Uint8Array(4 << 20));
  await recorder.start();
  say('started');
  await MODES[mode ?? '']?.();
  await recorder.stop();
  await report();
}
