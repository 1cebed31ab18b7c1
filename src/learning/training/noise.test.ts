import { describe, expect, it } from 'vitest';
import { NoiseStream } from './noise.ts';

const draw = (count: number, next: () => number) => Array.from({ length: count }, next);

describe('a stream of random numbers', () => {
  it('is normal: moments, tail and both sides', () => {
    const values = new Float32Array(400_000);
    new NoiseStream(3).fillNormal(values);
    const mean = (of: (x: number) => number) => values.reduce((sum, x) => sum + of(x), 0) / values.length;
    expect(mean((x) => x)).toBeCloseTo(0, 2);
    expect(mean((x) => x * x)).toBeCloseTo(1, 2);
    expect(mean((x) => x ** 3)).toBeCloseTo(0, 1);
    expect(mean((x) => x ** 4)).toBeCloseTo(3, 1);
    // Φ(−1), Φ(−2) and, where the tail has a method of its own, beyond 3.4426
    expect(mean((x) => (x > 1 ? 1 : 0))).toBeCloseTo(0.158655, 2);
    expect(mean((x) => (x < -2 ? 1 : 0))).toBeCloseTo(0.02275, 2);
    const tail = values.filter((x) => Math.abs(x) > 3.442619855899);
    expect(tail.length / values.length / 5.76e-4).toBeGreaterThan(0.8);
    expect(tail.length / values.length / 5.76e-4).toBeLessThan(1.2);
    expect(tail.filter((x) => x < 0).length / tail.length).toBeCloseTo(0.5, 0);
  });

  it('is uniform within its bounds, and draws every index', () => {
    const stream = new NoiseStream(4);
    const values = new Float32Array(100_000);
    stream.fillUniform(values);
    expect(Math.min(...values.subarray(0, 50_000))).toBeGreaterThan(-1);
    expect(values.every((x) => x > -1 && x < 1)).toBe(true);
    expect(values.reduce((sum, x) => sum + x * x, 0) / values.length).toBeCloseTo(1 / 3, 2);
    expect(new Set(draw(1000, () => stream.index(7)))).toEqual(new Set([0, 1, 2, 3, 4, 5, 6]));
  });

  it('goes on from what it remembers, bit by bit; another seed gives other numbers', () => {
    const stream = new NoiseStream(5);
    draw(1001, () => stream.normal());
    const other = new NoiseStream(6);
    other.recall(JSON.parse(JSON.stringify(stream.remember())));
    expect(draw(500, () => other.normal())).toEqual(draw(500, () => stream.normal()));
    expect(draw(5, () => new NoiseStream(5).normal())).not.toEqual(draw(5, () => new NoiseStream(6).normal()));
  });
});
