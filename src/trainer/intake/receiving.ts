import type { ChunkMap } from '../../messages/bulk/chunk-map.ts';
import type { DatasetOffer } from '../../messages/mqtt.ts';
import type { PartFile } from './part-file.ts';

/** Chunks after which the robot is told that they are there; it sends no more than 16 ahead. */
const TELL_EVERY = 4;
/** Chunks after which the medium is waited for: so many may have to come again after a crash. */
const SAVE_EVERY = 32;

/** One segment that this trainer has claimed. */
export class Receiving {
  readonly offer: DatasetOffer;
  readonly part: PartFile;
  /** when a chunk came last, new or not, or the segment was claimed first [ms, monotonic] */
  heardMs: number;
  /** when the robot was told last what is there [ms, monotonic] */
  toldMs: number;
  /** all is there; it is being read as a whole */
  checking = false;
  /** nothing more is done with it */
  ended = false;
  #told: number;
  #saved: number;
  readonly #writing = new Set<number>();
  #line: Promise<void> = Promise.resolve();

  constructor(offer: DatasetOffer, part: PartFile, nowMs: number) {
    this.offer = offer;
    this.part = part;
    this.heardMs = nowMs;
    this.toldMs = nowMs;
    this.#told = part.have.count;
    this.#saved = part.have.count;
  }

  get have(): ChunkMap {
    return this.part.have;
  }

  /** The robot should hear now what is there. */
  get isNews(): boolean {
    return this.have.count - this.#told >= TELL_EVERY;
  }

  told(nowMs: number): void {
    this.#told = this.have.count;
    this.toldMs = nowMs;
  }

  wants(n: number): boolean {
    return !this.ended && !this.checking && !this.have.has(n) && !this.#writing.has(n);
  }

  /** Puts a chunk into the file, after those before it. @throws node's errors */
  async write(n: number, payload: Uint8Array): Promise<void> {
    this.#writing.add(n);
    const written = this.#line.then(async () => {
      if (this.ended) return;
      await this.part.write(n, payload);
      if (this.have.count - this.#saved < SAVE_EVERY) return;
      this.#saved = this.have.count;
      await this.part.save();
    });
    this.#line = written.catch(() => {});
    try {
      await written;
    } finally {
      this.#writing.delete(n);
    }
  }

  /** Resolves when nothing is being written. */
  idle(): Promise<void> {
    return this.#line;
  }
}
