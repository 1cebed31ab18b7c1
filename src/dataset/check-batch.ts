import { invalid } from './invalid.ts';
import { endsEpisode, type Transitions } from './transitions.ts';

/**
 * Refuses what no dataset may hold.
 * @param firstRow number of the batch's first row in the dataset, for the message
 * @throws EdgeError `datasetInvalid` naming array and row
 */
export function checkBatch(batch: Transitions, path: string, firstRow: number): void {
  checkFinite(batch.observations, batch.observationSize, 'observations', path, firstRow);
  checkFinite(batch.actions, batch.actionSize, 'actions', path, firstRow);
  checkFinite(batch.rewards, 1, 'rewards', path, firstRow);
  checkFinite(batch.nextObservations, batch.observationSize, 'next_observations', path, firstRow);
}

function checkFinite(values: Float32Array, width: number, name: string, path: string, firstRow: number): void {
  for (let at = 0; at < values.length; at++) {
    if (Number.isFinite(values[at])) continue;
    const row = firstRow + Math.floor(at / width);
    throw invalid(
      `${path}: ${name}, row ${row}, column ${at % width} is no finite number: ${values[at]}`,
      'a single NaN spoils all that is learned from the data: leave that row out, and end the episode before it',
    );
  }
}

/**
 * Ends an episode wherever the next row does not begin, bit by bit, where a row ended: files from elsewhere cut their
 * episodes without saying so. What keeps the contract of `Transitions` goes through unchanged.
 */
export class Breaks {
  /** rows that were given a time-out */
  added = 0;
  #held: Transitions | undefined;

  /** @returns the batch before, which is complete now */
  take(batch: Transitions): Transitions | undefined {
    const before = this.#held;
    for (let row = 0; row + 1 < batch.count; row++) this.#check(batch, row, batch, row + 1);
    if (before) this.#check(before, before.count - 1, batch, 0);
    this.#held = batch;
    return before;
  }

  /** @returns the last batch; data always end with an episode */
  end(): Transitions | undefined {
    const last = this.#held;
    this.#held = undefined;
    if (last && !endsEpisode(last, last.count - 1)) {
      last.timeouts[last.count - 1] = 1;
      this.added += 1;
    }
    return last;
  }

  #check(from: Transitions, row: number, to: Transitions, nextRow: number): void {
    if (endsEpisode(from, row)) return;
    const size = from.observationSize;
    for (let column = 0; column < size; column++) {
      if (Object.is(from.nextObservations[row * size + column], to.observations[nextRow * size + column])) continue;
      from.timeouts[row] = 1;
      this.added += 1;
      return;
    }
  }
}

/** Checks batches and ends episodes where they end; `breaks` says how often that was necessary. */
export async function* sound(
  batches: AsyncIterable<Transitions>,
  path: string,
  breaks: Breaks,
): AsyncGenerator<Transitions> {
  let rows = 0;
  for await (const batch of batches) {
    checkBatch(batch, path, rows);
    rows += batch.count;
    const complete = breaks.take(batch);
    if (complete) yield complete;
  }
  const last = breaks.end();
  if (last) yield last;
  if (rows === 0) throw invalid(`${path} holds no transition`, 'name another file');
}
