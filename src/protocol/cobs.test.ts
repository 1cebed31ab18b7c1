import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cobsDecode, cobsEncode, cobsMaxLength } from './cobs.ts';

const encode = (data: Uint8Array): Uint8Array => {
  const target = new Uint8Array(cobsMaxLength(data.length));
  return target.subarray(0, cobsEncode(data, target));
};
const decode = (data: Uint8Array): Uint8Array | undefined => {
  const target = data.slice();
  const length = cobsDecode(target, target); // in place, as the frame decoder does
  return length === undefined ? undefined : target.subarray(0, length);
};
const run = (from: number, to: number) => Uint8Array.from({ length: to - from + 1 }, (_, i) => (from + i) & 0xff);
const bytes = (...values: (number | Uint8Array)[]) =>
  Uint8Array.from(values.flatMap((value) => (typeof value === 'number' ? [value] : [...value])));
/** Mostly zeros and few zeros, short and beyond the block of 254. */
const data = fc.uint8Array({ maxLength: 800 }).chain((values) =>
  fc.constantFrom(
    values,
    values.map((value) => value & 1),
    values.map((value) => value | 1),
  ),
);

describe('COBS', () => {
  // The examples of the Wikipedia article on COBS, which are those of the paper and the usual test of implementations.
  test.each([
    [bytes(), bytes(1)],
    [bytes(0), bytes(1, 1)],
    [bytes(0, 0), bytes(1, 1, 1)],
    [bytes(0, 0x11, 0), bytes(1, 2, 0x11, 1)],
    [bytes(0x11, 0x22, 0, 0x33), bytes(3, 0x11, 0x22, 2, 0x33)],
    [bytes(0x11, 0x22, 0x33, 0x44), bytes(5, 0x11, 0x22, 0x33, 0x44)],
    [bytes(0x11, 0, 0, 0), bytes(2, 0x11, 1, 1, 1)],
    [run(1, 254), bytes(0xff, run(1, 254))],
    [bytes(0, run(1, 254)), bytes(1, 0xff, run(1, 254))],
    [run(1, 255), bytes(0xff, run(1, 254), 2, 0xff)],
    [bytes(run(2, 255), 0), bytes(0xff, run(2, 255), 1, 1)],
    [bytes(run(3, 255), 0, 1), bytes(0xfe, run(3, 255), 2, 1)],
  ])('example %#', (plain, stuffed) => {
    expect(encode(plain)).toEqual(stuffed);
    expect(decode(stuffed)).toEqual(plain);
  });

  test('decodes what it encoded, never contains 0x00 and never exceeds its bound', () => {
    fc.assert(
      fc.property(data, (plain) => {
        const stuffed = encode(plain);
        expect(stuffed).not.toContain(0);
        expect(stuffed.length).toBeLessThanOrEqual(cobsMaxLength(plain.length));
        expect(decode(stuffed)).toEqual(plain);
      }),
    );
  });

  test('refuses a block that runs past the end, and a zero', () => {
    expect(decode(bytes(3, 1))).toBeUndefined();
    expect(decode(bytes(2, 1, 2))).toBeUndefined();
    expect(decode(bytes(3, 1, 0))).toBeUndefined();
    expect(decode(bytes(0, 1))).toBeUndefined();
  });
});
