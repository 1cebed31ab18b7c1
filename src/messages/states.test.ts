import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LIMITS, limitBit, limitNames } from './states.ts';

describe('a mask of limits', () => {
  it('gives back the names that were put into it, in the order of the bits', () => {
    fc.assert(
      fc.property(fc.subarray([...LIMITS]), (names) => {
        const mask = names.reduce((bits, name) => bits | limitBit(name), 0);
        expect(limitNames(mask)).toEqual(names);
      }),
    );
  });

  it('ignores bits that have no name', () => {
    expect(limitNames(1 << 30)).toEqual([]);
  });

  it('keeps the bits that recorded rows already carry', () => {
    expect(LIMITS.slice(0, 7)).toEqual([
      'not-running',
      'non-finite',
      'policy-range',
      'torque',
      'slew',
      'fallback',
      'policy-late',
    ]);
  });
});
