import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Agenda } from './agenda.ts';

it('lets everything happen once, in the order of its time, and of its entry where the time is the same', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { maxLength: 40 }), (times) => {
      const agenda = new Agenda();
      const happened: { time: number; index: number; now: number }[] = [];
      let now = 0;
      times.forEach((time, index) => {
        agenda.at(time, () => happened.push({ time, index, now }));
      });
      for (now = 0; now <= 20; now++) agenda.tick(now);
      expect(happened).toHaveLength(times.length);
      for (const { time, now: when } of happened) expect(when).toBe(time);
      const sorted = [...happened].sort((a, b) => a.time - b.time || a.index - b.index);
      expect(happened).toEqual(sorted);
    }),
  );
});

it('does in the same turn what an entry puts down for now', () => {
  const agenda = new Agenda();
  const words: string[] = [];
  agenda.at(1, () => {
    words.push('first');
    agenda.at(1, () => words.push('second'));
  });
  agenda.tick(1);
  expect(words).toEqual(['first', 'second']);
});
