import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BURST, FIRST_PAUSE, OTHERS, Repeats } from './repeats.ts';

function rig() {
  let now = 0;
  const lines: Array<{ kind: string; repeats: number }> = [];
  const repeats = new Repeats<string>({
    write: (kind) => void lines.push({ kind, repeats: 0 }),
    summarise: (kind, { repeats: times }) => void lines.push({ kind, repeats: times }),
    now: () => now,
  });
  return {
    lines,
    take: (kind: string) => repeats.take(kind, kind),
    /** time passes, with a look each second */
    pass(milliseconds: number) {
      for (const end = now + milliseconds; now < end; ) {
        now += 1000;
        repeats.sweep();
      }
    },
    flush: () => repeats.flush(),
  };
}

describe('what repeats itself', () => {
  it('is written at once the first few times, and counted after that', () => {
    const { lines, take, pass } = rig();
    for (let count = 0; count < 1000; count++) take('refused');
    const first = Array.from({ length: BURST }, () => ({ kind: 'refused', repeats: 0 }));
    expect(lines).toEqual(first);
    pass(FIRST_PAUSE);
    expect(lines).toEqual([...first, { kind: 'refused', repeats: 1000 - BURST }]);
  });

  it('a few times a day is written at once each time', () => {
    const { lines, take, pass } = rig();
    for (let day = 0; day < 5; day++) {
      take('link');
      pass(4 * 3_600_000);
    }
    expect(lines).toEqual(Array.from({ length: 5 }, () => ({ kind: 'link', repeats: 0 })));
  });

  it.each([10, 11, 60, 300])('every %i s for a day costs a line now and then', (interval) => {
    const { lines, take, pass } = rig();
    for (let second = 0; second < 86_400; second += interval) {
      take('refused');
      pass(1000 * interval);
    }
    expect(lines.length).toBeLessThan(200);
    expect(lines.length).toBeGreaterThan(10);
  });

  it('is counted under one name when there are too many kinds', () => {
    const { lines, take, pass } = rig();
    for (let count = 0; count < 10_000; count++) take(`kind ${count}`);
    expect(lines.length).toBeLessThan(100);
    pass(FIRST_PAUSE);
    expect(lines.filter(({ kind }) => kind === OTHERS)).toHaveLength(BURST + 1);
  });

  it('is never lost: what is written and what is counted is what came', () => {
    const action = fc.oneof(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 1, max: 100 }));
    fc.assert(
      fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
        const { lines, take, pass, flush } = rig();
        for (const one of actions) {
          if (typeof one === 'string') take(one);
          else pass(1000 * one);
        }
        flush();
        const told = lines.reduce((sum, { repeats }) => sum + Math.max(1, repeats), 0);
        expect(told).toBe(actions.filter((one) => typeof one === 'string').length);
      }),
    );
  });
});
