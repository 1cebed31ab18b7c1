import fc from 'fast-check';
import { ALL_MARKS } from './marks.ts';
import type { TransitionSource } from './source.ts';
import { allocate, rowsOf, type Transitions } from './transitions.ts';

const float = fc.float({ noNaN: true, noDefaultInfinity: true });

/** What a generated dataset is made of: for each row its numbers, and how it ends. */
const rowsArbitrary = (S: number, A: number) =>
  fc.array(
    fc.record({
      next: fc.array(float, { minLength: S, maxLength: S }),
      action: fc.array(fc.float({ min: -1, max: 1, noNaN: true }), { minLength: A, maxLength: A }),
      reward: float,
      end: fc.constantFrom('goes on', 'goes on', 'goes on', 'terminal', 'timeout', 'both'),
      marks: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: ALL_MARKS })),
      begin: fc.array(float, { minLength: S, maxLength: S }),
    }),
    { minLength: 1, maxLength: 40, size: 'large' },
  );

/** Any dataset that keeps the contract of `Transitions`, with provenance. */
export const anyTransitions: fc.Arbitrary<Transitions> = fc
  .record({ S: fc.integer({ min: 1, max: 5 }), A: fc.integer({ min: 1, max: 3 }), marked: fc.boolean() })
  .chain(({ S, A, marked }) =>
    fc
      .record({
        rows: rowsArbitrary(S, A),
        note: fc.string({ unit: 'grapheme', maxLength: 20 }),
        rate: fc.constantFrom(200, 100, 500),
      })
      .map(({ rows, note, rate }) => {
        const all = allocate(
          rows.length,
          { observationSize: S, actionSize: A, marked },
          { rate, note, list: [1, null, true] },
        );
        let start: readonly number[] = rows[0]?.begin ?? [];
        for (const [row, { next, action, reward, end, marks, begin }] of rows.entries()) {
          const ends = row + 1 === rows.length && end === 'goes on' ? 'timeout' : end;
          all.observations.set(start, row * S);
          all.nextObservations.set(next, row * S);
          all.actions.set(action, row * A);
          all.rewards[row] = reward;
          all.terminals[row] = Number(ends === 'terminal' || ends === 'both');
          all.timeouts[row] = Number(ends === 'timeout' || ends === 'both');
          if (all.marks) all.marks[row] = marks;
          start = ends === 'goes on' ? next : begin;
        }
        return all;
      }),
  );

/** A dataset in memory as a source, in batches of this many rows. */
export function sourceOf(all: Transitions, batchRows = all.count): TransitionSource {
  return {
    path: 'memory',
    format: 'd4rl',
    shape: { observationSize: all.observationSize, actionSize: all.actionSize, marked: all.marks !== undefined },
    rowsAtMost: all.count,
    provenance: all.provenance,
    warnings: [],
    async *batches() {
      for (let start = 0; start < all.count; start += batchRows) {
        yield rowsOf(all, start, Math.min(all.count, start + batchRows));
      }
    },
  };
}

/** `count` transitions of the paper's shape whose numbers follow from their row; an episode ends after every 50. */
export function madeUp(count: number, provenance = { task: 'standing-still', rate: 200 }): Transitions {
  const all = allocate(count, { observationSize: 4, actionSize: 1, marked: true }, provenance);
  for (let row = 0; row < count; row++) {
    for (let column = 0; column < 4; column++) {
      all.observations[4 * row + column] = Math.sin(row + column / 7);
      all.nextObservations[4 * row + column] = Math.sin(row + 1 + column / 7);
    }
    all.actions[row] = Math.cos(row);
    all.rewards[row] = 30 - row / 1000;
    const last = row % 50 === 49 || row === count - 1;
    all.terminals[row] = Number(last && row % 100 === 99);
    all.timeouts[row] = Number(last && row % 100 !== 99);
    if (all.marks) all.marks[row] = row % 10 === 0 ? 4 : 0;
  }
  return all;
}
