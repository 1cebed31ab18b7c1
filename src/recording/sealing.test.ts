import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeRow, encodeRow, type Row } from '../messages/row.ts';
import { range, recording, until } from './recording.testing.ts';
import { peekRow } from './row-key.ts';
import { rowNumber } from './rows.testing.ts';
import { bySequence, isSegment } from './segment-name.ts';
import { readRows } from './segment-reader.ts';

function rowWith(number: number, what: Partial<Row>): Uint8Array {
  const row = decodeRow(rowNumber(number));
  if (!row) throw new Error('a row that cannot be read');
  return encodeRow({ ...row, ...what });
}

/** Numbers of the rows in each segment. */
async function contents(directory: string): Promise<number[][]> {
  const all: number[][] = [];
  for (const file of readdirSync(directory).filter(isSegment).sort(bySequence)) {
    const numbers: number[] = [];
    for await (const row of readRows(join(directory, file))) numbers.push(Number(peekRow(row)?.sequence));
    all.push(numbers);
  }
  return all;
}

describe.each([{ done: true }, { timeout: true }])('the end of an episode %o', (end) => {
  it('is written at once', async () => {
    const { recorder, rows, durable } = await recording();
    rows(1, 3);
    recorder.row(rowWith(4, end));
    await until(() => durable.at(-1) === 4);
  });

  it('ends a segment that is old enough, exactly there', async () => {
    const { directory, recorder, clock, rows } = await recording();
    rows(1, 3);
    recorder.row(rowWith(4, end));
    rows(5, 9);
    await recorder.flush();
    clock.advance(20_000);
    rows(10, 12);
    recorder.row(rowWith(13, end));
    rows(14, 20);
    await recorder.stop();
    expect(await contents(directory)).toEqual([range(1, 13), range(14, 20)]);
  });
});

describe('an e-stop', () => {
  it('ends the segment with the first row that shows it, however young it is', async () => {
    const { directory, recorder, rows } = await recording();
    rows(1, 3);
    for (const number of range(4, 8)) recorder.row(rowWith(number, { robotState: 'estopped' }));
    rows(9, 12);
    recorder.row(rowWith(13, { robotState: 'estopped' }));
    await recorder.stop();
    expect(await contents(directory)).toEqual([range(1, 4), range(5, 13)]);
  });

  it('that was there from the start ends nothing', async () => {
    const { directory, recorder } = await recording();
    for (const number of range(1, 5)) recorder.row(rowWith(number, { robotState: 'estopped' }));
    await recorder.stop();
    expect(await contents(directory)).toEqual([range(1, 5)]);
  });

  it('as an event puts on the disk what led to it', async () => {
    const { recorder, rows, durable } = await recording();
    rows(1, 3);
    recorder.event({ event: 'estop', source: 'a test' });
    await until(() => durable.at(-1) === 3);
  });
});
