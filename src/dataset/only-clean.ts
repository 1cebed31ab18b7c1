import { EdgeError } from '../errors.ts';
import { BatchWriter } from './batch-writer.ts';
import type { TransitionSource } from './source.ts';
import type { Provenance, Transitions } from './transitions.ts';

/**
 * A dataset without its rows that have a mark; where one is left out, an episode ends.
 * @throws EdgeError `usage` when the dataset knows no marks
 */
export function onlyClean(source: TransitionSource): TransitionSource {
  const { shape } = source;
  if (!shape.marked) {
    throw new EdgeError(
      'usage',
      `nobody knows which rows of ${source.path} are clean: it has no marks`,
      'leave --only-clean out',
    );
  }
  let dropped = 0;
  return {
    path: source.path,
    format: source.format,
    shape,
    rowsAtMost: source.rowsAtMost,
    get provenance(): Provenance {
      return { ...source.provenance, onlyClean: true, uncleanDropped: dropped };
    },
    get warnings() {
      return source.warnings;
    },
    async *batches(): AsyncGenerator<Transitions> {
      dropped = 0;
      const writer = new BatchWriter(shape);
      for await (const batch of source.batches()) {
        for (let row = 0; row < batch.count; row++) {
          if (batch.marks?.[row] !== 0) {
            dropped += 1;
            writer.break();
            continue;
          }
          const full = writer.append(rowOf(batch, row));
          if (full) yield full;
        }
      }
      const rest = writer.end();
      if (rest) yield rest;
    },
  };
}

function rowOf(batch: Transitions, row: number) {
  const { observationSize: S, actionSize: A } = batch;
  return {
    observation: batch.observations.subarray(row * S, (row + 1) * S),
    action: batch.actions.subarray(row * A, (row + 1) * A),
    reward: batch.rewards[row] ?? 0,
    nextObservation: batch.nextObservations.subarray(row * S, (row + 1) * S),
    terminal: batch.terminals[row] === 1,
    timeout: batch.timeouts[row] === 1,
    marks: batch.marks?.[row] ?? 0,
  };
}
