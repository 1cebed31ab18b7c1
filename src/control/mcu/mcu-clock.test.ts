import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { actuated } from '../ticks.testing.ts';
import { McuClock } from './mcu-clock.ts';

/** [µs] host time − MCU time */
const OFFSET = 7_000_000_000;

/** One frame: sampled, `line` later here, and it says which frame's answer had reached the MCU by then. */
function frame(clock: McuClock, sequence: number, line: number, answered: number | undefined, first = false): void {
  const sampled = 1_000_000 + sequence * 5000;
  const tick = actuated();
  clock.observe({
    ...tick,
    first,
    wireSequence: sequence & 0xffff,
    sequence,
    mcuTimeUs: sampled,
    arrivedNs: BigInt(Math.round((sampled + OFFSET + line) * 1000)),
    sensors: { ...tick.sensors, commandFresh: answered !== undefined, answered: (answered ?? 0) & 0xffff },
  });
}

describe('the clock of the motor controller', () => {
  it('is known to half a round trip, whatever the line and the machine do', () => {
    const lines = fc.array(fc.integer({ min: 0, max: 4500 }), { minLength: 3, maxLength: 200 });
    fc.assert(
      fc.property(lines, fc.integer({ min: 0, max: 200_000 }), (delays, start) => {
        const clock = new McuClock();
        delays.forEach((line, i) => {
          // Each frame's answer is there before the next is sampled.
          frame(clock, start + i, line, i > 0 ? start + i - 1 : undefined, i === 0);
        });
        const { offset = Number.NaN, uncertainty = Number.NaN } = clock.offset ?? {};
        expect(Math.abs(offset - OFFSET)).toBeLessThanOrEqual(uncertainty + 1);
        expect(uncertainty).toBeLessThanOrEqual(2500 + delays.length);
      }),
    );
  });

  it('is not known before a command was confirmed, nor after the motor controller started anew', () => {
    const clock = new McuClock();
    frame(clock, 0, 100, undefined, true);
    frame(clock, 1, 100, undefined);
    expect(clock.offset).toBeUndefined();
    frame(clock, 2, 100, 1);
    expect(clock.offset).toBeDefined();
    frame(clock, 0, 100, undefined, true);
    expect(clock.offset).toBeUndefined();
  });
});
