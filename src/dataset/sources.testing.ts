import { type Mark, markBit } from './marks.ts';
import type { TransitionSource } from './source.ts';
import { allocate, type Provenance, rowsOf, type Transitions } from './transitions.ts';

/** One row of a dataset in a test; what is left out is 0. */
export interface TestRow {
  readonly observation?: readonly number[];
  readonly action?: readonly number[];
  readonly reward?: number;
  readonly terminal?: boolean;
  readonly timeout?: boolean;
  readonly marks?: readonly Mark[];
}

/** Rows as a dataset in memory, in batches of `batchRows`. */
export function sourceOf(
  rows: readonly TestRow[],
  {
    provenance = {},
    batchRows = 3,
    sizes = [4, 1] as const,
  }: {
    provenance?: Provenance;
    batchRows?: number;
    sizes?: readonly [number, number];
  } = {},
): TransitionSource {
  const shape = { observationSize: sizes[0], actionSize: sizes[1], marked: true };
  const all = allocate(rows.length, shape, provenance);
  for (const [index, row] of rows.entries()) {
    all.observations.set(row.observation ?? [], index * shape.observationSize);
    all.actions.set(row.action ?? [], index * shape.actionSize);
    all.rewards[index] = row.reward ?? 0;
    all.terminals[index] = Number(row.terminal ?? false);
    all.timeouts[index] = Number(row.timeout ?? false);
    if (all.marks) all.marks[index] = (row.marks ?? []).reduce((mask, mark) => mask | markBit(mark), 0);
  }
  return {
    path: 'test',
    format: 'd4rl',
    shape,
    rowsAtMost: rows.length,
    provenance,
    warnings: [],
    async *batches(): AsyncGenerator<Transitions> {
      for (let start = 0; start < rows.length; start += batchRows) {
        yield rowsOf(all, start, Math.min(rows.length, start + batchRows));
      }
    },
  };
}
