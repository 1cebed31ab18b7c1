import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Unwrapper } from './unwrap.ts';

describe.each([16, 32] as const)('Unwrapper of %i bits', (bits) => {
  const modulus = 2 ** bits;

  test('goes on across the wrap', () => {
    const unwrapper = new Unwrapper(bits);
    const start = modulus - 3;
    expect([0, 1, 2, 3, 4, 5].map((i) => unwrapper.next((start + i) % modulus))).toEqual(
      [0, 1, 2, 3, 4, 5].map((i) => start + i),
    );
  });

  test('follows any counter that moves less than half a turn at a time', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: modulus - 1 }),
        fc.array(fc.integer({ min: 0, max: modulus / 2 - 1 }), { maxLength: 100 }),
        (start, steps) => {
          const unwrapper = new Unwrapper(bits);
          let counter = start;
          expect(unwrapper.next(counter)).toBe(counter);
          for (const step of steps) {
            counter += step;
            expect(unwrapper.next(counter % modulus)).toBe(counter);
          }
        },
      ),
    );
  });

  test('takes a step back for a late value, also across the wrap, and not for a turn', () => {
    const unwrapper = new Unwrapper(bits);
    unwrapper.next(modulus - 1);
    expect(unwrapper.next(1)).toBe(modulus + 1);
    expect(unwrapper.next(modulus - 1)).toBe(modulus + 1);
    expect(unwrapper.next(0)).toBe(modulus + 1);
    expect(unwrapper.next(2)).toBe(modulus + 2);
  });

  test('takes exactly half a turn for a step back', () => {
    const unwrapper = new Unwrapper(bits);
    unwrapper.next(5);
    expect(unwrapper.next(5 + modulus / 2)).toBe(5);
    expect(unwrapper.next(4 + modulus / 2)).toBe(4 + modulus / 2);
  });

  test('starts anew after reset', () => {
    const unwrapper = new Unwrapper(bits);
    unwrapper.next(1000);
    unwrapper.reset();
    expect(unwrapper.next(5)).toBe(5);
  });
});
