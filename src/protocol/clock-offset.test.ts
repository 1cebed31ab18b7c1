import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ClockOffset } from './clock-offset.ts';

/** Two clocks that differ by an offset and drift apart, and a line that takes its time. All [µs]. */
const world = fc.record({
  offset: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
  drift: fc.double({ min: -200e-6, max: 200e-6, noNaN: true }),
  exchanges: fc.array(
    fc.record({
      pause: fc.integer({ min: 0, max: 200_000 }),
      there: fc.integer({ min: 0, max: 20_000 }),
      back: fc.integer({ min: 0, max: 20_000 }),
      answered: fc.boolean(),
    }),
    { minLength: 1, maxLength: 100 },
  ),
});

describe('PROTOCOL.md §10', () => {
  test('the true offset is never outside what is said of it', () => {
    fc.assert(
      fc.property(world, ({ offset, drift, exchanges }) => {
        const clock = new ClockOffset();
        const hostAt = (mcu: number) => mcu + offset + drift * mcu;
        let mcu = 0;
        for (const { pause, there, back, answered } of exchanges) {
          mcu += pause;
          const sampled = mcu;
          const arrived = hostAt(mcu + there);
          clock.arrived(sampled, arrived);
          mcu += there + back;
          if (answered) clock.answered(mcu, arrived);
          const { estimate } = clock;
          if (!estimate) continue;
          // The offset itself moves while the clocks drift: it is meant for the latest frame.
          const truth = hostAt(mcu) - mcu;
          const slack = Math.abs(drift) * (there + back) + 1e-3;
          expect(Math.abs(estimate.offset - truth)).toBeLessThanOrEqual(estimate.uncertainty + slack);
        }
      }),
    );
  });

  test('the shortest round trip decides how well it is known', () => {
    const clock = new ClockOffset();
    for (const [at, delay] of [
      [0, 9000],
      [5000, 700],
      [10_000, 4000],
    ] as const) {
      clock.arrived(at, at + 1_000_000 + delay);
      clock.answered(at + 2 * delay, at + 1_000_000 + delay);
    }
    expect(clock.estimate?.uncertainty).toBeGreaterThanOrEqual(700);
    expect(clock.estimate?.uncertainty).toBeLessThan(710);
    expect(clock.estimate?.offset).toBeCloseTo(1_000_000, -1);
  });

  test('nothing is said before both bounds are known', () => {
    const clock = new ClockOffset();
    clock.arrived(0, 5);
    expect(clock.estimate).toBeUndefined();
    clock.answered(10, 5);
    expect(clock.estimate).toEqual({ offset: expect.closeTo(0, 0), uncertainty: expect.closeTo(5, 0) });
    clock.reset();
    expect(clock.estimate).toBeUndefined();
  });

  test('a clock that was set is followed', () => {
    const clock = new ClockOffset();
    clock.arrived(0, 1000);
    clock.answered(2000, 1000);
    clock.arrived(5000, 5_001_000 - 90_000);
    clock.answered(7000, 5_001_000 - 90_000);
    clock.arrived(10_000, 5_006_000 - 90_000);
    expect(clock.estimate?.offset).toBeCloseTo(4_905_000, -4);
  });
});
