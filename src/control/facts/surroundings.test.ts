import { beforeEach, describe, expect, it } from 'vitest';
import { Surroundings } from './surroundings.ts';

const time = { now: 0, wall: 1_700_000_000_000 };
const pass = (milliseconds: number) => {
  time.now += milliseconds;
  time.wall += milliseconds;
};
let around: Surroundings;
beforeEach(() => {
  time.now = 0;
  around = new Surroundings({ now: () => time.now, wall: () => time.wall });
});

describe('what the gateway says of its recorder', () => {
  it('is believed for ten seconds, and taken back at once', () => {
    around.recorderReports('disk-full');
    expect([around.diskFull, around.recorderBehind]).toEqual([true, false]);
    pass(9_999);
    expect(around.diskFull).toBe(true);
    pass(1);
    expect(around.diskFull).toBe(false);
    around.recorderReports('behind');
    expect([around.diskFull, around.recorderBehind]).toEqual([false, true]);
    around.recorderReports('');
    expect([around.diskFull, around.recorderBehind]).toEqual([false, false]);
  });

  it('is not needed to see that rows were lost', () => {
    around.rowsLost(0);
    expect(around.recorderBehind).toBe(false);
    around.rowsLost(3);
    expect(around.recorderBehind).toBe(true);
    around.rowsLost(3);
    pass(10_000);
    expect(around.recorderBehind).toBe(false);
  });
});

describe('the wall clock', () => {
  const frames = (count: number) => {
    let step = 0;
    for (let frame = 0; frame < count; frame++) {
      pass(5);
      step = around.clockStep();
    }
    return step;
  };

  it.each([60_000, -60_000, 700])('that jumps by %i ms is told for ten seconds', (jump) => {
    expect(frames(100)).toBe(0);
    time.wall += jump;
    expect(frames(1)).toBeCloseTo(Math.abs(jump) / 1000, 9);
    expect(frames(1998)).toBeCloseTo(Math.abs(jump) / 1000, 9);
    expect(frames(2)).toBe(0);
  });

  it('that is slewed is not worth a word, nor is a process that stood still', () => {
    around.clockStep();
    for (let second = 0; second < 3600; second++) {
      pass(1000);
      time.wall += 0.5;
      expect(around.clockStep()).toBeLessThan(0.001);
    }
    pass(3_600_000);
    expect(around.clockStep()).toBeLessThan(0.001);
  });

  it('is not looked at where only virtual time passes', () => {
    expect(new Surroundings({ now: () => time.now }).clockStep()).toBe(0);
  });
});
