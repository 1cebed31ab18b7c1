import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChunkMap, chunkLength, chunksOf } from './chunk-map.ts';

describe('a map of chunks', () => {
  it('comes back from its text as it was', () => {
    const some = fc
      .integer({ min: 1, max: 300 })
      .chain((length) =>
        fc.record({ length: fc.constant(length), there: fc.uniqueArray(fc.integer({ min: 0, max: length - 1 })) }),
      );
    fc.assert(
      fc.property(some, ({ length, there }) => {
        const map = new ChunkMap(length);
        for (const n of there) map.set(n);
        const back = ChunkMap.parse(map.toString(), length);
        expect(back && ChunkMap.of(back.toArray()).toString()).toBe(map.toString());
        expect(back?.count).toBe(there.length);
        expect(there.every((n) => back?.has(n))).toBe(true);
        expect(back?.complete).toBe(there.length === length);
      }),
    );
  });

  it.each([
    ['too short', 'AA==', 9],
    ['too long', 'AAA=', 8],
    ['a bit behind the last chunk', '/w==', 7],
    ['not base64', '??', 8],
  ])('is refused: %s', (_, text, length) => {
    expect(ChunkMap.parse(text, length)).toBeUndefined();
  });

  it('has the lowest bit of the first byte for the first chunk', () => {
    const map = new ChunkMap(9);
    map.set(0);
    map.set(8);
    expect(map.toString()).toBe(Buffer.from([1, 1]).toString('base64'));
  });
});

it('the chunks of a file have its length together', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10_000 }), fc.integer({ min: 1, max: 500 }), (bytes, chunkBytes) => {
      const lengths = Array.from({ length: chunksOf(bytes, chunkBytes) }, (_, n) => chunkLength(n, bytes, chunkBytes));
      expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(bytes);
      expect(lengths.every((length) => length > 0)).toBe(true);
    }),
  );
});
