import { allocate, copyInto, endsEpisode, rowsOf, type Transitions } from '../transitions.ts';

/** Makes whole episodes of batches. */
export class EpisodeSplitter {
  #pieces: Transitions[] = [];

  /** @returns the episodes that are complete now */
  *take(batch: Transitions): Generator<Transitions> {
    let start = 0;
    for (let row = 0; row < batch.count; row++) {
      if (!endsEpisode(batch, row)) continue;
      this.#pieces.push(rowsOf(batch, start, row + 1));
      yield this.#joined();
      start = row + 1;
    }
    if (start < batch.count) this.#pieces.push(rowsOf(batch, start, batch.count));
  }

  /** Whether an episode has begun and not ended. */
  get open(): boolean {
    return this.#pieces.length > 0;
  }

  #joined(): Transitions {
    const pieces = this.#pieces;
    this.#pieces = [];
    const [first] = pieces;
    if (first === undefined) throw new RangeError('an episode without rows');
    if (pieces.length === 1) return first;
    const count = pieces.reduce((sum, piece) => sum + piece.count, 0);
    const { observationSize, actionSize, marks, provenance } = first;
    const episode = allocate(count, { observationSize, actionSize, marked: marks !== undefined }, provenance);
    let at = 0;
    for (const piece of pieces) {
      copyInto(episode, at, piece);
      at += piece.count;
    }
    return episode;
  }
}
