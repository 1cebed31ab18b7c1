import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from '@foxglove/rosmsg';
import { MessageReader } from '@foxglove/rosmsg2-serialization';
import { describe, expect, it } from 'vitest';
import { encodeTapeBlock } from '../messages/tape-block.ts';
import { recording, temporaryFolder } from './recording.testing.ts';
import { BOOT, rowNumber } from './rows.testing.ts';
import { bySequence, isSegment } from './segment-name.ts';
import { SegmentReader } from './segment-reader.ts';
import { verifyDirectory } from './verify.ts';

/** A block that tells of twenty frames, from its number times twenty on. */
const block = (number: number, boot = BOOT) =>
  encodeTapeBlock({
    boot,
    number: BigInt(number),
    wallNs: 1_700_000_000_000_000_000n,
    sequence: BigInt(20 * number),
    records: Uint8Array.of(number, 1, 2, 3),
  });

/** What lies on the disk, in its order: rows as numbers, blocks as "tape NUMBER". */
async function onDisk(directory: string): Promise<Array<number | string>> {
  const found: Array<number | string> = [];
  for (const file of readdirSync(directory).filter(isSegment).sort(bySequence)) {
    const reader = new SegmentReader(join(directory, file));
    for await (const messages of reader.chunks()) {
      for (const message of messages) {
        const tape = reader.tapeOf(message);
        if (tape) found.push(`tape ${tape.number}`);
        else if (reader.isRow(message)) found.push(message.sequence);
      }
    }
  }
  return found;
}

describe('a block of the tape', () => {
  it('stands among the rows as it came, and is safe before the row after it is said to be', async () => {
    const { directory, recorder, durable } = await recording();
    recorder.row(rowNumber(1));
    recorder.tape(block(0));
    recorder.row(rowNumber(2));
    await recorder.flush();
    expect(durable).toEqual([2]);
    expect(await onDisk(directory)).toEqual([1, 'tape 0', 2]);
  });

  it('that comes again is stored once, also after a restart of the recorder', async () => {
    const one = await recording();
    for (const number of [0, 1, 0, 1]) one.recorder.tape(block(number));
    one.recorder.row(rowNumber(1));
    await one.recorder.stop();
    const two = await recording(one.directory);
    for (const number of [0, 1, 2]) two.recorder.tape(block(number));
    two.recorder.row(rowNumber(2));
    await two.recorder.stop();
    expect(await onDisk(one.directory)).toEqual(['tape 0', 'tape 1', 1, 'tape 2', 2]);
    expect(two.recorder.counters).toMatchObject({ tapeTaken: 1, tapeDuplicate: 2 });
    expect(await verifyDirectory(one.directory)).toMatchObject({
      ok: true,
      rows: 2,
      gaps: 0,
      tapeBlocks: 3,
      tapeGaps: 0,
    });
  });

  it('that has no room is counted, and missed by whoever verifies', async () => {
    const { directory, recorder, disk } = await recording(temporaryFolder(), { waitingBytes: 900 });
    recorder.tape(block(0));
    const release = disk.hold();
    for (let number = 1; number < 40; number++) recorder.tape(block(number));
    expect(recorder.counters.tapeDropped).toBeGreaterThan(10);
    release();
    await recorder.flush();
    recorder.tape(block(40));
    await recorder.stop();
    const { tapeGaps, tapeBlocks, ok } = await verifyDirectory(directory);
    expect({ tapeGaps, ok }).toEqual({ tapeGaps: 1, ok: true });
    expect(tapeBlocks + recorder.counters.tapeDropped).toBe(41);
  });

  it('of another run of control begins another segment, also before its first row', async () => {
    const { directory, recorder } = await recording();
    recorder.tape(block(0));
    recorder.row(rowNumber(1));
    recorder.tape(block(3, 0xbeefn));
    await recorder.flush();
    recorder.row(rowNumber(61, 0xbeefn));
    await recorder.stop();
    const names = readdirSync(directory).filter(isSegment).sort();
    expect(names).toEqual([
      'robot-1-000000000000beef-000000000060.mcap',
      `robot-1-${BOOT.toString(16).padStart(16, '0')}-000000000001.mcap`,
    ]);
  });

  it('that is none is counted and left aside', async () => {
    const { recorder } = await recording();
    recorder.tape(Uint8Array.of(1, 2, 3));
    recorder.tape(block(0).subarray(0, 39));
    expect(recorder.counters).toMatchObject({ tapeTaken: 0, tapeDropped: 2 });
  });

  it('is read by a stranger as it was written', async () => {
    const { directory, recorder } = await recording();
    recorder.tape(block(7));
    await recorder.stop();
    const [file = ''] = readdirSync(directory).filter(isSegment);
    const reader = new SegmentReader(join(directory, file));
    for await (const [message] of reader.chunks()) {
      const schema = reader.schemas.find(({ name }) => name === 'h2o_edge/msg/Tape');
      const definition = parse(new TextDecoder().decode(schema?.data), { ros2: true });
      const theirs = new MessageReader(definition).readMessage(message?.data ?? new Uint8Array());
      expect(theirs).toMatchObject({ boot: BOOT, number: 7n, sequence: 140n, records: Uint8Array.of(7, 1, 2, 3) });
    }
  });
});
