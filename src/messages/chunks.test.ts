import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CHUNK_BYTES, chunkCount, decodeBitmap, encodeBitmap } from './chunks.ts';

test('what a bitmap says is what it was made of, and of no other number of chunks', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 200 }), (have) => {
      expect(decodeBitmap(encodeBitmap(have), have.length)).toEqual(have);
      const last = have.lastIndexOf(true);
      if (last > 0) expect(decodeBitmap(encodeBitmap(have), last)).toBeUndefined();
    }),
  );
});

test('what is no bitmap is none', () => {
  for (const text of ['!', 'AA', '====', 'AAAA AAAA', 'AQA=']) expect(decodeBitmap(text, 8)).toBeUndefined();
  expect(decodeBitmap('', 3)).toEqual([false, false, false]);
});

test('a file goes in as many chunks as it fills', () => {
  expect([0, 1, CHUNK_BYTES, CHUNK_BYTES + 1].map((bytes) => chunkCount(bytes))).toEqual([1, 1, 1, 2]);
});
