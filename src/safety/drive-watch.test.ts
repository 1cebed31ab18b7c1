import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../random.ts';
import { DriveWatch } from './drive-watch.ts';

const DT = 0.005;

/** Lowest and highest word on two drives, of which the left one makes this of what it is told. */
function said(drive: (told: number, index: number) => number, size = 0.05, frames = 1200) {
  const watch = new DriveWatch();
  let least = Number.POSITIVE_INFINITY;
  for (let index = 0; index < frames; index++) {
    // as a robot that stands asks: a slow sway, and noise
    const told = size * (Math.sin(index / 30) + 0.3 * Math.sin(index * 2.1));
    watch.update({ applied: [told, told], measured: [drive(told, index), told], dt: DT, first: index === 0 });
    least = Math.min(least, watch.gain);
  }
  return { least, last: watch.gain };
}

describe('how much a drive gives of what it is told', () => {
  it('is all of it from a good one, however little that is, and also when it is a frame or two late', () => {
    expect(said((told) => told).least).toBeGreaterThan(0.99);
    expect(said((told) => told, 0.03).least).toBeGreaterThan(0.99);
    const queue = [0, 0];
    const late = (told: number) => {
      queue.push(told);
      return queue.shift() ?? 0;
    };
    expect(said(late).least).toBeGreaterThan(0.9);
  });

  it('is hardly any from one that is dead, reversed, or keeps its torque', () => {
    expect(said(() => 0).last).toBeLessThan(0.05);
    expect(said((told) => -told).last).toBeLessThan(-0.9);
    expect(said(() => 0.01).last).toBeLessThan(0.4);
  });

  it('is what the motor constant makes of it', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.5, max: 1.5, noNaN: true }), (constant) => {
        const { last } = said((told) => constant * told);
        expect(last).toBeGreaterThan(Math.min(1, constant) - 0.02);
      }),
      { numRuns: 30 },
    );
  });

  it('is never called low because of noise that is four times the torque', () => {
    // By the same draws each time: what is three standard deviations away comes about now and then.
    for (let seed = 1; seed <= 100; seed++) {
      const random = new Random(seed);
      const noise = () => 0.2 * (random.uint32() / 2 ** 31 - 1);
      expect(said((told) => told + noise()).least, `seed ${seed}`).toBeGreaterThan(0.4);
    }
  });

  it('is not known where nothing is asked, or nothing measured', () => {
    expect(said((told) => told, 0.001).least).toBe(Number.POSITIVE_INFINITY);
    const watch = new DriveWatch();
    for (let index = 0; index < 600; index++)
      watch.update({ applied: [1, 1], measured: undefined, dt: DT, first: index === 0 });
    expect(watch.gain).toBe(Number.POSITIVE_INFINITY);
  });

  it('forgets what was not finite', () => {
    const watch = new DriveWatch();
    const frame = (measured: number, index: number) =>
      watch.update({ applied: [Math.sin(index / 20), 1], measured: [measured, 1], dt: DT, first: index === 0 });
    frame(Number.NaN, 0);
    frame(Number.NaN, 1);
    for (let index = 2; index < 600; index++) frame(Math.sin(index / 20), index);
    expect(watch.gain).toBeGreaterThan(0.9);
  });
});
