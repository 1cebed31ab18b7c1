import { describe, expect, it } from 'vitest';
import { OverrunCounter } from './overrun-counter.ts';

describe('the overrun counter', () => {
  it('counts answers that took longer than a period, all of them and those in a row', () => {
    const counter = new OverrunCounter();
    for (const latency of [100, 5001, 6000, 5000, 7000]) counter.add(latency, 5000);
    expect(counter).toMatchObject({ total: 3, inARow: 1 });
    expect(counter.latency.summary()).toMatchObject({ count: 5, max: 7000 });
  });

  it('calls nothing late while the period is not known', () => {
    const counter = new OverrunCounter();
    counter.add(1e9, Number.NaN);
    expect(counter).toMatchObject({ total: 0, inARow: 0 });
  });
});
