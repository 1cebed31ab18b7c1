import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Histogram } from './histogram.ts';

const anyValue = fc.double({ min: 1, max: 1e9, noNaN: true });

function histogramOf(values: readonly number[]): Histogram {
  const histogram = new Histogram();
  for (const value of values) histogram.add(value);
  return histogram;
}

describe('a histogram', () => {
  it('gives every quantile within 5 % of the exact one', () => {
    fc.assert(
      fc.property(
        fc.array(anyValue, { minLength: 1, maxLength: 200 }),
        fc.double({ min: 0.001, max: 1, noNaN: true }),
        (values, share) => {
          const sorted = [...values].sort((a, b) => a - b);
          const exact = sorted[Math.ceil(share * values.length) - 1] ?? Number.NaN;
          const quantile = histogramOf(values).quantile(share);
          expect(quantile).toBeGreaterThanOrEqual(exact * 0.95);
          expect(quantile).toBeLessThanOrEqual(exact * 1.05);
        },
      ),
    );
  });

  it('never gives more than the largest value, which it knows exactly', () => {
    fc.assert(
      fc.property(fc.array(anyValue, { minLength: 1, maxLength: 50 }), (values) => {
        const histogram = histogramOf(values);
        const largest = Math.max(...values);
        expect(histogram.quantile(1)).toBe(largest);
        expect(histogram.quantile(0.5)).toBeLessThanOrEqual(largest);
        expect(histogram.summary().max).toBeCloseTo(largest, 1);
      }),
    );
  });

  it('rises with the share', () => {
    fc.assert(
      fc.property(fc.array(anyValue, { minLength: 1, maxLength: 100 }), (values) => {
        const { p50, p99, p999, max } = histogramOf(values).summary();
        expect([p50, p99, p999, max]).toEqual([p50, p99, p999, max].sort((a, b) => a - b));
      }),
    );
  });

  it('is all zeros before anything was added', () => {
    expect(new Histogram().summary()).toEqual({ count: 0, p50: 0, p99: 0, p999: 0, max: 0 });
  });

  it('counts everything, also what is below and beyond its range', () => {
    const histogram = histogramOf([0, 0.5, 1e12, Number.POSITIVE_INFINITY]);
    expect(histogram.summary().count).toBe(4);
    expect(histogram.quantile(0.25)).toBeLessThanOrEqual(1.05);
  });
});
