import { expect, it } from 'vitest';
import {
  add,
  exponential,
  identity,
  largest,
  multiply,
  spectralRadius,
  symmetrise,
  transpose,
} from './linear-algebra.ts';

const a = [
  [1, 2],
  [3, 4],
];

it('multiplies, adds, transposes', () => {
  expect(multiply(a, transpose(a))).toEqual([
    [5, 11],
    [11, 25],
  ]);
  expect(add(a, identity(2), -1)).toEqual([
    [0, 2],
    [3, 3],
  ]);
  expect(symmetrise(a)).toEqual([
    [1, 2.5],
    [2.5, 4],
  ]);
});

it('raises e to a rotation and to a large growth', () => {
  const turned = exponential([
    [0, -2],
    [2, 0],
  ]);
  const exact = [
    [Math.cos(2), -Math.sin(2)],
    [Math.sin(2), Math.cos(2)],
  ];
  expect(largest(add(turned, exact, -1))).toBeLessThan(1e-14);
  expect(exponential([[10]])[0]?.[0]).toBeCloseTo(Math.exp(10), 8);
  expect(exponential([[0]])).toEqual([[1]]);
});

it('finds the largest eigenvalue of growth, decay, rotation and nilpotence', () => {
  expect(spectralRadius([[0.5]])).toBeCloseTo(0.5, 8);
  expect(spectralRadius(a)).toBeCloseTo((5 + Math.sqrt(33)) / 2, 8);
  expect(
    spectralRadius([
      [0, -0.9],
      [0.9, 0],
    ]),
  ).toBeCloseTo(0.9, 8);
  expect(
    spectralRadius([
      [0, 1],
      [0, 0],
    ]),
  ).toBe(0);
});
