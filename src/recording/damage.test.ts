import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { messagesOf, range, rowsIn, TroubledDisk, temporaryFolder } from './recording.testing.ts';
import { type SegmentEnding, SegmentReader } from './segment-reader.ts';
import { SegmentWriter } from './segment-writer.ts';

/** Rows in a chunk of these tests. */
const CHUNK = 60;
const CHUNKS = 5;
const PAGE = 4096;

const folder = temporaryFolder(afterAll);
let part: Buffer;
let sealed: Buffer;
/** length of the unsealed segment after its opening and after each chunk */
const safe: number[] = [];

beforeAll(async () => {
  const path = join(folder, 'robot-1-0000000000c0ffee-000000000001.part');
  const writer = new SegmentWriter({ disk: new TroubledDisk(), path, metadata: new Map([['robot', 'robot-1']]) });
  await writer.open();
  safe.push(writer.bytes);
  for (let chunk = 0; chunk < CHUNKS; chunk++) {
    await writer.append(messagesOf(1 + chunk * CHUNK, (chunk + 1) * CHUNK));
    safe.push(writer.bytes);
  }
  part = readFileSync(path);
  sealed = readFileSync(await writer.seal());
});

/** What a reader makes of these bytes; every row is compared with what it has to be. */
async function read(bytes: Uint8Array): Promise<{ rows: number[]; ending: SegmentEnding | undefined }> {
  const path = join(folder, 'bytes');
  writeFileSync(path, bytes);
  const rows = await rowsIn(path);
  const reader = new SegmentReader(path);
  for await (const _ of reader.chunks());
  return { rows, ending: reader.ending };
}

const all = range(1, CHUNK * CHUNKS);
const withFlip = (bytes: Buffer, bit: number): Buffer => {
  const flipped = Buffer.from(bytes);
  const at = Math.floor(bit / 8);
  flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << (bit % 8)), at);
  return flipped;
};
const bitOf = (bytes: () => Buffer) =>
  fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }).map((share) => Math.floor(share * bytes().length * 8));

describe('one flipped bit', () => {
  it('in a sealed segment is always noticed', async () => {
    await fc.assert(
      fc.asyncProperty(
        bitOf(() => sealed),
        async (bit) => {
          const { rows, ending } = await read(withFlip(sealed, bit));
          expect(ending?.kind).not.toBe('sealed');
          expect(rows).toEqual(all.slice(0, rows.length));
        },
      ),
      { numRuns: 400 },
    );
  });

  it('in a segment without a footer is noticed, or all rows are there', async () => {
    await fc.assert(
      fc.asyncProperty(
        bitOf(() => part),
        async (bit) => {
          const { rows, ending } = await read(withFlip(part, bit));
          expect(rows).toEqual(all.slice(0, rows.length));
          // Else it would be taken for a crash that cut off what nobody was told to be safe.
          if (ending?.kind === 'cut') expect(rows).toEqual(all);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('in the header of any record is noticed, or all rows are there', async () => {
    // Where a reader that skips what it does not know would lose a whole chunk without a word.
    for (const start of safe.slice(0, -1)) {
      for (let bit = 8 * start; bit < 8 * (start + 9); bit++) {
        const { rows, ending } = await read(withFlip(part, bit));
        expect(rows).toEqual(all.slice(0, rows.length));
        expect(ending?.kind).toBe('damaged');
      }
    }
  });
});

describe('power that fails', () => {
  it('costs nothing that was synced, whatever pages of the rest were written', async () => {
    const pages = fc.array(fc.constantFrom('new', 'old', 'garbage'), { minLength: 1, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: CHUNKS }),
        pages,
        fc.double({ min: 0, max: 1, noNaN: true }),
        async (synced, fate, length) => {
          const from = safe[synced] ?? 0;
          const torn = Buffer.from(part.subarray(0, from + Math.ceil(length * (part.length - from))));
          for (let page = Math.floor(from / PAGE), index = 0; page * PAGE < torn.length; page++, index++) {
            const bytes = torn.subarray(Math.max(page * PAGE, from), (page + 1) * PAGE);
            const what = fate[index % fate.length];
            if (what === 'old') bytes.fill(0);
            if (what === 'garbage') bytes.fill(0xa5 ^ page);
          }
          const { rows } = await read(torn);
          expect(rows).toEqual(all.slice(0, rows.length));
          expect(rows.length).toBeGreaterThanOrEqual(synced * CHUNK);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('a segment that ends anywhere', () => {
  it('yields all chunks that are whole', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: part.length }), async (length) => {
        const { rows, ending } = await read(part.subarray(0, length));
        const whole = safe.filter((end, chunk) => chunk > 0 && end <= length).length;
        expect(rows).toEqual(all.slice(0, rows.length));
        expect(rows.length).toBeGreaterThanOrEqual(whole * CHUNK);
        expect(ending?.kind).toBe('cut');
      }),
      { numRuns: 200 },
    );
  });
});

describe('anything at all', () => {
  it('is read without an exception', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 2000 }), fc.nat({ max: 400 }), async (noise, keep) => {
        const { rows, ending } = await read(Buffer.concat([sealed.subarray(0, keep), noise]));
        expect(rows).toEqual([]);
        expect(ending?.kind).not.toBe('sealed');
      }),
    );
  });
});
