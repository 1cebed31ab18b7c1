import {
  beginChunk,
  readRecords,
  TapePosition,
  type TapeRecord,
  writeAnswer,
  writeFrame,
  writeState,
  writeText,
} from './tape.ts';
import { TapeBytes } from './tape-bytes.ts';

/** Records as they stand in a block. */
export function writeRecords(records: readonly TapeRecord[]): Uint8Array {
  const to = new TapeBytes();
  const at = new TapePosition();
  for (const record of records) {
    if (record.is === 'chunk') {
      beginChunk(to, record.frames.length);
      for (const frame of record.frames) writeFrame(to, at, frame, frame.payload);
    } else if (record.is === 'answer') writeAnswer(to, at, record.answer);
    else if (record.is === 'facts') writeText(to, 'facts', record.facts);
    else if (record.is === 'order') writeText(to, 'order', record.order);
    else if (record.is === 'run') writeText(to, 'run', record.run);
    else writeState(to, record.state);
  }
  return to.copy();
}

/** The records of a block, with one bit changed in the payload of a frame. */
export function flipBit(
  records: Uint8Array,
  { frame, byte, bit }: { frame: number; byte: number; bit: number },
): Uint8Array {
  let count = -1;
  return writeRecords(
    [...readRecords(records)].map((record) => {
      if (record.is !== 'chunk') return record;
      const frames = record.frames.map((one) => {
        count += 1;
        if (count !== frame) return one;
        const payload = one.payload.slice();
        payload[byte] = (payload[byte] ?? 0) ^ (1 << bit);
        return { ...one, payload };
      });
      return { is: 'chunk' as const, frames };
    }),
  );
}
