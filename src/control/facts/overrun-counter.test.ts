import { describe, expect, it } from 'vitest';
import { OverrunCounter } from './overrun-counter.ts';

describe('the overrun counter', () => {
  it('counts answers that took longer than a period, all of them and those in a row', () => {
    const counter = new OverrunCounter();
    for (const latency of [100, 5001, 6000, 5000, 7000]) counter.add(latency, 5000, false);
    expect(counter).toMatchObject({ total: 3, inARow: 1 });
    expect(counter.latency.summary()).toMatchObject({ count: 5, max: 7000 });
  });

  it('counts the answer to a frame that was overtaken as late by a period, however quick it was', () => {
    const counter = new OverrunCounter();
    counter.add(100, 5000, true);
    counter.add(100, 5000, true);
    expect(counter).toMatchObject({ total: 2, inARow: 2 });
    expect(counter.latency.summary()).toMatchObject({ count: 2, max: 5100 });
    counter.add(100, 5000, false);
    expect(counter).toMatchObject({ total: 2, inARow: 0 });
  });

  it('takes an overtaken frame for late also while the period is not known', () => {
    const counter = new OverrunCounter();
    counter.add(100, Number.NaN, true);
    expect(counter.total).toBe(1);
    expect(counter.latency.summary()).toMatchObject({ count: 1, max: 100 });
  });

  it('calls nothing late while the period is not known', () => {
    const counter = new OverrunCounter();
    counter.add(1e9, Number.NaN, false);
    expect(counter).toMatchObject({ total: 0, inARow: 0 });
  });
});
