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
let full = false;
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
    full ||= kind === 'disk-full';
    say(`problem ${kind} ${message}`);
  },
  onRecovered: () => {
    full = false;
    say('recovered');
  },
});

/** Rows from a number on, until there is a reason to stop; resends what did not find room, as `control` does. */
async function record(from: number, until: () => boolean): Promise<void> {
  for (let number = from; !until(); await turn()) {
    for (let count = 0; count < 200; count++) recorder.row(rowNumber(number++));
    if (recorder.counters.waiting > 1000) await recorder.flush();
  }
}

async function report(): Promise<void> {
  const { files, ...sums } = await verifyDirectory(directory);
  say(JSON.stringify({ durable, ...sums }));
}

const ballast = join(directory, 'ballast');
if (mode === 'room') writeFileSync(ballast, new Uint8Array(4 << 20));
await recorder.start();
say('started');
await record(Number(first), () => full);
if (mode === 'room') {
  await report();
  const before = recorder.counters.rowsDurable;
  rmSync(ballast);
  // What waits and what comes later go into a new segment.
  await record(durable + 1, () => recorder.counters.rowsDurable > before + 5000);
}
await recorder.stop();
await report();
