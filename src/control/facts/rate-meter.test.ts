import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RateMeter } from './rate-meter.ts';

function meterOf(periods: readonly number[]): RateMeter {
  const meter = new RateMeter();
  for (const period of periods) meter.add(period);
  return meter;
}

describe('the rate meter', () => {
  it('does not know the rate until it has seen a whole window', () => {
    expect(meterOf(Array(99).fill(5000)).hertz).toBeNaN();
    expect(meterOf(Array(100).fill(5000)).hertz).toBeCloseTo(200, 9);
  });

  it('is the mean over the latest hundred periods and forgets the ones before', () => {
    const window = fc.array(fc.integer({ min: 500, max: 20_000 }), { minLength: 100, maxLength: 350 });
    fc.assert(
      fc.property(window, (periods) => {
        const sum = periods.slice(-100).reduce((total, period) => total + period, 0);
        expect(meterOf(periods).hertz).toBeCloseTo(1e8 / sum, 6);
      }),
    );
  });

  it('begins anew after a reset', () => {
    const meter = meterOf(Array(200).fill(1000));
    meter.reset();
    for (let period = 0; period < 99; period++) meter.add(20_000);
    expect(meter.hertz).toBeNaN();
    meter.add(20_000);
    expect(meter.hertz).toBeCloseTo(50, 9);
  });
});
