import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROW_BYTES } from '../messages/row.ts';
import { range, recording, rowsIn, temporaryFolder, until } from './recording.testing.ts';
import { BOOT, rowNumber } from './rows.testing.ts';
import { bySequence } from './segment-name.ts';
import { readEvents } from './segment-reader.ts';
import { verifyDirectory } from './verify.ts';

const segmentsIn = (directory: string) =>
  readdirSync(directory)
    .filter((name) => !name.startsWith('.'))
    .sort(bySequence);

async function recorded(directory: string): Promise<number[]> {
  const numbers: number[] = [];
  for (const file of segmentsIn(directory)) numbers.push(...(await rowsIn(join(directory, file))));
  return numbers;
}

async function eventsIn(directory: string): Promise<Record<string, unknown>[]> {
  const events: Record<string, unknown>[] = [];
  for (const file of segmentsIn(directory)) {
    for await (const { event } of readEvents(join(directory, file))) events.push(event);
  }
  return events;
}

describe('a row', () => {
  it('waits 250 ms for more, and is then safe', async () => {
    const { recorder, clock, disk, durable, rows } = await recording();
    const before = disk.operations;
    rows(1, 1);
    clock.advance(249);
    rows(2, 3);
    await new Promise((resolve) => setImmediate(resolve));
    expect(disk.operations).toBe(before);
    clock.advance(1);
    await until(() => durable.length > 0);
    expect(durable).toEqual([3]);
    expect(recorder.lastDurable()).toEqual({ boot: BOOT, sequence: 3n });
  });

  it('does not wait when there are 64 KiB', async () => {
    const { durable, rows } = await recording();
    rows(1, 300);
    await until(() => durable.length > 0);
    expect(durable[0]).toBeGreaterThan(260);
    expect(durable[0]).toBeLessThan(300);
  });

  it('that comes twice is stored once, and acknowledged again', async () => {
    const { directory, recorder, durable, rows } = await recording();
    rows(1, 10);
    await recorder.flush();
    rows(5, 12);
    await recorder.flush();
    rows(1, 12);
    await until(() => durable.length === 4);
    expect(durable).toEqual([10, 10, 12, 12]);
    await recorder.stop();
    expect(await recorded(directory)).toEqual(range(1, 12));
    expect(recorder.counters).toMatchObject({ rowsTaken: 12, rowsDurable: 12, rowsDuplicate: 6 + 12 });
  });

  it('that comes twice is not acknowledged before the first is safe', async () => {
    const { durable, disk, recorder, rows } = await recording();
    const release = disk.hold();
    rows(1, 10);
    const flushed = recorder.flush();
    rows(1, 10);
    await new Promise((resolve) => setImmediate(resolve));
    expect(durable).toEqual([]);
    release();
    await flushed;
    expect(durable).toEqual([10]);
  });

  it('of an unknown layout is counted', async () => {
    const { recorder } = await recording();
    recorder.row(new Uint8Array(ROW_BYTES));
    recorder.row(new Uint8Array(3));
    expect(recorder.counters.rowsMalformed).toBe(2);
  });

  it('is copied: its buffer may be used again', async () => {
    const { directory, recorder } = await recording();
    const row = rowNumber(1);
    recorder.row(row);
    row.fill(0);
    await recorder.stop();
    expect(await recorded(directory)).toEqual([1]);
  });
});

describe('a segment', () => {
  it('is named after robot, boot and first row, and sealed at the end', async () => {
    const { directory, recorder, rows } = await recording();
    rows(7, 9);
    await recorder.flush();
    expect(segmentsIn(directory)).toEqual(['robot-1-0000000000c0ffee-000000000007.part']);
    await recorder.stop();
    expect(readdirSync(directory)).toEqual(['robot-1-0000000000c0ffee-000000000007.mcap']);
  });

  it('ends at its size, at its age, with the boot, and when the behaviour changes', async () => {
    const { directory, recorder, clock, rows } = await recording(temporaryFolder(), { segmentBytes: 50_000 });
    const sealed = (count: number) => until(() => recorder.counters.segmentsSealed === count);
    rows(1, 250);
    await recorder.flush();
    await sealed(1);
    rows(251, 252);
    await recorder.flush();
    clock.advance(60_000);
    await sealed(2);
    rows(253, 253);
    recorder.setBehaviour({ task: 'standing-still' });
    await sealed(3);
    rows(254, 254);
    rows(1, 1, 0xbeefn);
    await recorder.stop();
    expect(recorder.counters.segmentsSealed).toBe(5);
    expect(await verifyDirectory(directory)).toMatchObject({ segments: 5, rows: 255, gaps: 0, ok: true, open: 0 });
  });

  it('is never written over', async () => {
    const directory = temporaryFolder();
    for (const _ of range(1, 3)) {
      const { recorder } = await recording(directory);
      recorder.event({ event: 'nothing but an event' });
      await recorder.stop();
    }
    expect(segmentsIn(directory)).toHaveLength(3);
    expect(await eventsIn(directory)).toHaveLength(3);
  });
});

describe('a recorder that starts again', () => {
  it('knows what is safe, and takes only what is new', async () => {
    const first = await recording();
    first.rows(1, 10, 0xbeefn);
    await first.recorder.flush();
    first.rows(1, 100);
    await first.recorder.stop();
    const second = await recording(first.directory);
    expect(second.recorder.lastDurable()).toEqual({ boot: BOOT, sequence: 100n });
    second.rows(50, 110);
    await second.recorder.stop();
    expect(await recorded(first.directory)).toEqual([...range(1, 10), ...range(1, 110)]);
  });

  it('does not take the folder from one that runs', async () => {
    const { directory } = await recording();
    await expect(recording(directory)).rejects.toMatchObject({ codeName: 'recordingFailed' });
  });
});

describe('a disk that is too slow', () => {
  it('costs the newest rows, which are counted, told and marked; memory is bounded', async () => {
    const { directory, recorder, disk, problems, rows } = await recording(temporaryFolder(), { waitingBytes: 100_000 });
    const release = disk.hold();
    rows(1, 2000);
    const { rowsTaken, rowsDropped } = recorder.counters;
    expect(rowsTaken).toBe(Math.floor(100_000 / (31 + 4 + ROW_BYTES)));
    expect(rowsDropped).toBe(2000 - rowsTaken);
    expect(problems).toEqual(['too-slow']);
    release();
    await recorder.flush();
    rows(2001, 2010);
    await recorder.stop();
    expect(await recorded(directory)).toEqual([...range(1, rowsTaken), ...range(2001, 2010)]);
    expect(await eventsIn(directory)).toEqual([
      { event: 'gap', reason: 'too-slow', rows: rowsDropped, boot: '0000000000c0ffee', after: String(rowsTaken) },
    ]);
    expect(await verifyDirectory(directory)).toMatchObject({ gaps: 1, ok: true });
  });

  it('costs nothing when the sender comes back to the rows that were dropped', async () => {
    const { directory, recorder, disk, durable, rows } = await recording(temporaryFolder(), { waitingBytes: 100_000 });
    const release = disk.hold();
    rows(1, 500);
    release();
    await until(() => recorder.counters.waiting < 300);
    await until(() => durable.length > 0);
    rows(Number(durable.at(-1)) + 1, 500);
    await recorder.stop();
    expect(await recorded(directory)).toEqual(range(1, 500));
    expect(await eventsIn(directory)).toEqual([]);
  });
});

describe('events', () => {
  it('stand between the rows, and gaps that the caller knows are gaps', async () => {
    const { directory, recorder, rows } = await recording();
    rows(1, 3);
    recorder.event({ event: 'mode', task: 'standing-still', at: 12n });
    recorder.gap({ reason: 'control has dropped rows', rows: 4 });
    rows(8, 9);
    await recorder.stop();
    expect(await eventsIn(directory)).toEqual([
      { event: 'mode', task: 'standing-still', at: '12' },
      { event: 'gap', reason: 'control has dropped rows', rows: 4, boot: '0000000000c0ffee', after: '3' },
    ]);
    expect(await verifyDirectory(directory)).toMatchObject({ rows: 5, gaps: 1 });
  });

  it('that cannot be stored do no harm', async () => {
    const { directory, recorder } = await recording();
    const circle: Record<string, unknown> = {};
    circle.itself = circle;
    recorder.event(circle);
    recorder.event({ event: 'long', text: 'x'.repeat(100_000) });
    await recorder.stop();
    expect(recorder.counters.eventsDropped).toBe(1);
    expect(await eventsIn(directory)).toEqual([{ event: 'oversized', bytes: 100_026 }]);
  });
});
