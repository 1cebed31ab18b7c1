import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EncoderWatch } from './encoder-watch.ts';

const DT = 0.005;

/** Largest error while both wheels move by this law; each sensor may lie. */
function worst(
  lie: (position: number, velocity: number, index: number) => readonly [number, number],
  law = (time: number) => 3 * Math.sin(4 * time),
  frames = 800,
): number {
  const watch = new EncoderWatch();
  let most = 0;
  let angle = 0;
  for (let index = 0; index < frames; index++) {
    const velocity = law(index * DT);
    angle += index === 0 ? 0 : ((velocity + law((index - 1) * DT)) / 2) * DT;
    const [position, told] = lie(angle, velocity, index);
    watch.update({ position: [position, -position], velocity: [told, -told], dt: DT, first: index === 0 });
    most = Math.max(most, watch.error);
  }
  return most;
}

describe('position and velocity of a wheel', () => {
  it('agree on a wheel that turns, whatever it does', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 50, noNaN: true }),
        fc.double({ min: 0, max: 20, noNaN: true }),
        (size, rate) => {
          expect(
            worst(
              (p, v) => [p, v],
              (time) => size * Math.sin(rate * time),
              300,
            ),
          ).toBeLessThan(1e-9);
        },
      ),
    );
  });

  const lies: Record<string, Parameters<typeof worst>[0]> = {
    'the position stands still': (_, v) => [0, v],
    'the velocity stands still': (p) => [p, 0],
    'the velocity is off by 2 rad/s': (p, v) => [p, v + 2],
    'the velocity has the wrong sign': (p, v) => [p, -v],
    'the position is anything': (p, v, index) => [index % 3 === 0 ? p : index % 7, v],
  };
  it.each(Object.entries(lies))('disagree when %s', (_, lie) => {
    expect(worst(lie)).toBeGreaterThan(0.5);
  });

  it('a single jump of the position is forgiven, and so is a filter of 20 ms on the velocity', () => {
    expect(worst((p, v, index) => [p + (index > 400 ? 5 : 0), v])).toBeLessThan(0.15);
    let filtered = 0;
    const filter = (p: number, v: number) => {
      filtered += (DT / 0.02) * (v - filtered);
      return [p, filtered] as const;
    };
    expect(worst(filter)).toBeLessThan(0.25);
  });

  it('says so at once when a number is none, and forgets it', () => {
    const watch = new EncoderWatch();
    const sample = (position: number, first = false) =>
      ({ position: [position, 0], velocity: [0, 0], dt: DT, first }) as const;
    watch.update(sample(0, true));
    watch.update(sample(Number.NaN));
    expect(watch.error).toBeNaN();
    watch.update(sample(0));
    watch.update(sample(0));
    expect(watch.error).toBe(0);
  });
});
