import { expect, it } from 'vitest';
import { isBetter, performanceOf } from './performance.ts';

const tries = (...seconds: number[]) =>
  performanceOf(
    seconds.map((one) => ({ seconds: one, maxAbsX: one / 100, fell: one < 20, ended: one < 20 ? 'fell' : 'stood' })),
  );

it('is the mean of what was survived, the furthest that it came, and the falls', () => {
  expect(tries(20, 5, 2)).toMatchObject({ survival: 9, maxAbsX: 0.2, falls: 2 });
});

it('is better when it stands longer, and as long but nearer; never with more falls', () => {
  expect(isBetter(tries(20, 20), tries(2, 3))).toBe(true);
  expect(isBetter(tries(2, 3), tries(20, 20))).toBe(false);
  expect(isBetter(tries(20, 20), tries(20, 20))).toBe(false);
  const before = tries(20, 20);
  expect(isBetter({ ...before, maxAbsX: 0.1 }, before)).toBe(true);
  expect(isBetter({ ...before, survival: 21, falls: 1 }, before)).toBe(false);
});
