import { expect, it } from 'vitest';
import { COVERAGE_CELLS, Coverage, MAP_NAMES } from './coverage.ts';

it('counts each cell of both maps once', () => {
  const coverage = new Coverage();
  expect(coverage.visited).toBe(0);
  coverage.add([0, 0, 0, 0]);
  coverage.add([0.001, 0.001, 0.001, 0.001]);
  expect(coverage.visited).toBe(2);
  coverage.add([0.9, 0, 0, 0]);
  expect(coverage.visited).toBe(3);
  expect(coverage.share('travel')).toBeCloseTo(2 / 24 ** 2);
  expect(coverage.cells('balance')).toMatchObject([{ states: 3 }]);
  coverage.clear();
  expect([coverage.visited, coverage.cells('travel')]).toEqual([0, []]);
});

it('leaves out what is no working point, each map for itself', () => {
  const coverage = new Coverage();
  // Fallen, too fast, a number that is none, one that is not there.
  for (const state of [[9, 0, 0.6, 0], [0, 2, 0, 3.1], [Number.NaN, 0, 0, Number.POSITIVE_INFINITY], [0]]) {
    coverage.add(state);
  }
  expect(coverage.visited).toBe(0);
  coverage.add([0, 0, 0.6, 0]);
  expect(MAP_NAMES.map((name) => coverage.share(name) > 0)).toEqual([false, true]);
});

it('is whole when every state has been seen', () => {
  const coverage = new Coverage();
  for (let one = -1; one < 1; one += 0.02) {
    for (let other = -1; other < 1; other += 0.02) {
      coverage.add([1.2 * one, other, (one * Math.PI) / 6, 3 * other]);
    }
  }
  expect(coverage.visited).toBe(COVERAGE_CELLS);
  expect(MAP_NAMES.map((name) => coverage.cells(name).length)).toEqual([24 ** 2, 24 ** 2]);
});
