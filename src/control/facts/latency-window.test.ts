import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LatencyWindow } from './latency-window.ts';

describe('the p99.9 of the latest answers', () => {
  it('is not known without any, and the worst of a few', () => {
    const window = new LatencyWindow();
    expect(window.p999()).toBeNaN();
    for (const value of [3, 900, 2]) window.add(value);
    expect(window.p999()).toBe(900);
    expect(window.samples).toBe(3);
  });

  it('passes over one in a thousand, and not over two', () => {
    const window = new LatencyWindow();
    for (let count = 0; count < 1024; count++) window.add(count === 500 ? 50_000 : 400);
    expect(window.p999()).toBe(400);
    window.add(40_000);
    window.add(40_000);
    expect(window.p999()).toBe(40_000);
  });

  it('forgets a stall once a window has passed', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 1, max: 1e6, noNaN: true }), { maxLength: 300 }), (before) => {
        const window = new LatencyWindow();
        for (const value of before) window.add(value);
        for (let count = 0; count < 1024; count++) window.add(400);
        expect(window.p999()).toBe(400);
        expect(window.samples).toBe(1024);
      }),
      { numRuns: 20 },
    );
  });
});
