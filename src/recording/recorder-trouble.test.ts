import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Recorder, type RecorderProblem } from './recorder.ts';
import { range, rowsIn, TroubledDisk, temporaryFolder, until, VirtualClock } from './recording.testing.ts';
import { RESERVE_BYTES } from './reserve.ts';
import { rowNumber } from './rows.testing.ts';
import { bySequence } from './segment-name.ts';
import { readEvents } from './segment-reader.ts';
import { verifyDirectory } from './verify.ts';

const LIMITS = { segmentBytes: 1 << 20, minimumFreeBytes: 0, waitingBytes: 200_000 };

async function recording(limits = LIMITS) {
  const directory = temporaryFolder();
  const clock = new VirtualClock();
  const disk = new TroubledDisk();
  const seen = { durable: 0, problems: [] as RecorderProblem['kind'][], recovered: 0 };
  const recorder = new Recorder({
    directory,
    robot: 'robot-1',
    revision: '1.2.3',
    clock,
    disk,
    limits,
    onDurable: ({ sequence }) => {
      seen.durable = Number(sequence);
    },
    onProblem: ({ kind }) => seen.problems.push(kind),
    onRecovered: () => {
      seen.recovered += 1;
    },
  });
  await recorder.start();
  onTestFinished(() => recorder.stop());
  const rows = (first: number, last: number) => {
    for (const number of range(first, last)) recorder.row(rowNumber(number));
  };
  return { directory, recorder, clock, disk, seen, rows };
}

const segmentsIn = (directory: string) =>
  readdirSync(directory)
    .filter((name) => !name.startsWith('.'))
    .sort(bySequence);

async function contentsOf(directory: string) {
  const numbers = new Set<number>();
  const events: Record<string, unknown>[] = [];
  for (const file of segmentsIn(directory)) {
    for (const number of await rowsIn(join(directory, file))) numbers.add(number);
    for await (const { event } of readEvents(join(directory, file))) events.push(event);
  }
  return { rows: [...numbers], events };
}

const troubles = [
  { name: 'a full disk', kind: 'disk-full', room: 5000, broken: {} },
  { name: 'a write that fails', kind: 'io-error', broken: { write: 'EIO' } },
  { name: 'a sync that fails', kind: 'io-error', broken: { sync: 'EIO' } },
  {
    name: 'a disk on which nothing works',
    kind: 'io-error',
    broken: { write: 'EIO', sync: 'EIO', truncate: 'EIO', rename: 'EIO', create: 'EIO' },
  },
];

describe.each(troubles)('$name', ({ kind, room = Number.POSITIVE_INFINITY, broken }) => {
  const spoil = (disk: TroubledDisk) => {
    disk.room = room;
    Object.assign(disk.broken, broken);
  };
  const mend = (disk: TroubledDisk) => {
    disk.room = Number.POSITIVE_INFINITY;
    for (const operation of ['write', 'sync', 'truncate', 'rename', 'create'] as const) delete disk.broken[operation];
  };

  it('is told once; what waits is written when it is over, and nothing is missing', async () => {
    const { directory, recorder, clock, disk, seen, rows } = await recording();
    rows(1, 100);
    await recorder.flush();
    spoil(disk);
    rows(101, 200);
    await recorder.flush();
    expect(recorder.problem?.kind).toBe(kind);
    expect(seen.durable).toBe(100);
    for (const _ of range(1, 3)) {
      clock.advance(5000);
      await recorder.flush();
    }
    expect(seen).toMatchObject({ problems: [kind], recovered: 0, durable: 100 });
    rows(201, 300);
    mend(disk);
    clock.advance(5000);
    await until(() => seen.recovered === 1);
    await recorder.flush();
    expect(seen.durable).toBe(300);
    expect(recorder.problem).toBeUndefined();
    await recorder.stop();
    const { rows: numbers, events } = await contentsOf(directory);
    expect(numbers).toEqual(range(1, 300));
    expect(events).toMatchObject([{ event: 'recording-resumed', after: kind, stoppedMs: 20_000 }]);
    expect(await verifyDirectory(directory)).toMatchObject({ gaps: 0, ok: true, open: 0 });
    expect(recorder.counters.stops).toBe(1);
  });

  it('that lasts costs the newest rows, which become a gap', async () => {
    const { directory, recorder, clock, disk, seen, rows } = await recording();
    rows(1, 100);
    await recorder.flush();
    spoil(disk);
    rows(101, 3000);
    await until(() => recorder.problem !== undefined);
    const { rowsTaken, rowsDropped } = recorder.counters;
    expect(rowsTaken + rowsDropped).toBe(3000);
    expect(rowsTaken).toBeLessThan(1100);
    mend(disk);
    clock.advance(5000);
    await until(() => seen.recovered === 1);
    await recorder.flush();
    rows(3001, 3010);
    await recorder.stop();
    const { rows: numbers, events } = await contentsOf(directory);
    expect(numbers).toEqual([...range(1, rowsTaken), ...range(3001, 3010)]);
    expect(events).toContainEqual(
      expect.objectContaining({ event: 'gap', rows: rowsDropped, after: String(rowsTaken) }),
    );
    expect(await verifyDirectory(directory)).toMatchObject({ gaps: 1, ok: true });
  });

  it('at the end costs only what nobody was told to be safe', async () => {
    const { directory, recorder, disk, seen, rows } = await recording();
    rows(1, 100);
    await recorder.flush();
    spoil(disk);
    rows(101, 200);
    await recorder.stop();
    expect(seen.durable).toBe(100);
    expect(recorder.counters.rowsDropped).toBe(100);
    expect((await contentsOf(directory)).rows.slice(0, 100)).toEqual(range(1, 100));
  });
});

describe('space that is left to others', () => {
  it('is not used: the segment is sealed and recording stops before', async () => {
    const { directory, recorder, clock, disk, seen, rows } = await recording({ ...LIMITS, minimumFreeBytes: 1 << 20 });
    rows(1, 100);
    await recorder.flush();
    disk.room = 1 << 19;
    rows(101, 200);
    clock.advance(1000);
    await until(() => seen.problems.length > 0);
    expect(seen).toMatchObject({ problems: ['disk-full'], durable: 100 });
    expect(segmentsIn(directory).map((name) => name.slice(-5))).toEqual(['.mcap']);
    // Enough to go on for a few rows is not enough.
    disk.room = (1 << 20) + RESERVE_BYTES;
    clock.advance(5000);
    await recorder.flush();
    expect(seen.recovered).toBe(0);
    disk.room = 10 << 20;
    clock.advance(5000);
    await until(() => seen.recovered === 1);
    await recorder.stop();
    expect((await contentsOf(directory)).rows).toEqual(range(1, 200));
  });
});
