import { expect, it } from 'vitest';
import { COVERAGE_CELLS, Coverage } from './coverage.ts';
import { loadRobot } from './robot.ts';

const robot = loadRobot('wheel-legged');

it('counts each cell of both planes once, also at and beyond their edges', () => {
  const coverage = new Coverage(robot);
  expect(coverage.cells).toBe(0);
  coverage.add([0, 0, 0, 0]);
  coverage.add([0.001, 0.001, 0.001, 0.001]);
  expect(coverage.cells).toBe(2);
  coverage.add([0.9, 0, 0, 0]);
  expect(coverage.cells).toBe(3);
  coverage.add([99, 99, 99, 99]);
  coverage.add([1, 1, robot.limits.tilt, 4]);
  expect(coverage.cells).toBe(5);
  for (const odd of [
    [Number.NaN, 0, 0, 0],
    [0, 0, 0],
    [0, 0, Number.POSITIVE_INFINITY, 0],
  ])
    coverage.add(odd);
  expect(coverage.cells).toBe(5);
  coverage.clear();
  expect(coverage.cells).toBe(0);
});

it('is whole when every state has been seen', () => {
  const coverage = new Coverage(robot);
  for (let one = -1; one <= 1; one += 0.02) {
    for (let other = -1; other <= 1; other += 0.02) coverage.add([one, other, one * robot.limits.tilt, 4 * other]);
  }
  expect(coverage.cells).toBe(COVERAGE_CELLS);
});
