import { crc32 } from 'node:zlib';
import { endsEpisode, type Transitions } from '../transitions.ts';

/** What identifies a dataset bit by bit: its length and a CRC of each array, wherever batches begin and end. */
export class Digest {
  rows = 0;
  episodes = 0;
  falls = 0;
  readonly #crcs = new Map<string, number>();

  add(batch: Transitions): void {
    this.rows += batch.count;
    for (let row = 0; row < batch.count; row++) {
      if (endsEpisode(batch, row)) this.episodes += 1;
      if (batch.terminals[row] === 1) this.falls += 1;
    }
    this.#feed('observations', batch.observations);
    this.#feed('actions', batch.actions);
    this.#feed('rewards', batch.rewards);
    this.#feed('nextObservations', batch.nextObservations);
    this.#feed('terminals', batch.terminals);
    this.#feed('timeouts', batch.timeouts);
    if (batch.marks) this.#feed('marks', batch.marks);
  }

  /** What differs, or `undefined` when nothing does. */
  differenceTo(other: Digest): string | undefined {
    if (other.rows !== this.rows) return `${other.rows} rows instead of ${this.rows}`;
    const different = [...this.#crcs].filter(([name, crc]) => other.#crcs.get(name) !== crc).map(([name]) => name);
    return different.length > 0 ? `the bytes of ${different.join(', ')}` : undefined;
  }

  #feed(name: string, { buffer, byteOffset, byteLength }: Float32Array | Uint8Array | Uint32Array): void {
    const bytes = new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
    this.#crcs.set(name, crc32(bytes, this.#crcs.get(name) ?? 0));
  }
}
