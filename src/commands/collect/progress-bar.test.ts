import { describe, expect, it } from 'vitest';
import type { Progress } from './collection.ts';
import { describeProgress, ProgressBar } from './progress-bar.ts';

const half: Progress = {
  phase: 'running',
  transitions: 500,
  goal: 1000,
  episodes: 3,
  falls: 2,
  lifts: 3,
  coverage: 0.125,
  rowsLost: 0,
  rate: 200,
  refusal: '',
};

describe('the progress of a collection', () => {
  it('says how far it is, how fast, how often it fell, what it has seen and what is left of the disk', () => {
    const line = describeProgress(half, 2e9);
    expect(line).toContain(`[${'#'.repeat(12)}${'.'.repeat(12)}] 50%`);
    for (const part of [
      '500 transitions',
      '200/s, 0:02 left',
      '3 episodes, 2 falls',
      'coverage 12.5%',
      'disk 2.0 GB left',
    ]) {
      expect(line).toContain(part);
    }
  });

  it('says what it waits for and what is wrong, and leaves out what it does not know', () => {
    const waiting = describeProgress(
      { ...half, phase: 'lifted', rowsLost: 7, rate: 0, goal: Infinity, refusal: 'upright: no' },
      undefined,
    );
    for (const part of ['0%', 'hold it upright and still', '7 ROWS LOST', 'upright: no'])
      expect(waiting).toContain(part);
    expect(waiting).not.toContain('disk');
    expect(waiting).not.toContain('left');
  });

  it.each([true, false])('is drawn now and then, over what was there only on a terminal (%s)', (isTTY) => {
    let written = '';
    let now = 0;
    const out = {
      isTTY,
      columns: 40,
      write: (text: string) => {
        written += text;
        return true;
      },
    } as unknown as NodeJS.WriteStream;
    const bar = new ProgressBar(out, () => now);
    bar.show(half, undefined);
    const first = written;
    bar.show(half, undefined);
    expect(written).toBe(first);
    now = 10_000;
    bar.show(half, undefined);
    bar.say('over');
    expect(written.includes('\r')).toBe(isTTY);
    if (isTTY) expect(first.length).toBeLessThan(40 + '\r\x1b[K'.length);
    else expect(written.split('\n')).toHaveLength(4);
  });
});
