/** Size of a chunk [bytes]. On a 1 Mbit/s line it takes one second; brokers take up to 2 MB in one message, some only 128 kB. */
export const CHUNK_BYTES = 128 * 1024;

/** How many chunks a file makes. */
export const chunksOf = (bytes: number, chunkBytes: number = CHUNK_BYTES): number => Math.ceil(bytes / chunkBytes);

/** Length of the n-th chunk [bytes]. */
export const chunkLength = (n: number, bytes: number, chunkBytes: number): number =>
  Math.max(0, Math.min(chunkBytes, bytes - n * chunkBytes));

/** A CRC as the user property of a chunk has it. */
export const crcText = (crc: number): string => crc.toString(16).padStart(8, '0');

/** Which chunks of a file are there: chunk n is bit n mod 8 (1 = lowest) of byte n div 8, in base64 on the wire. */
export class ChunkMap {
  readonly length: number;
  readonly #bits: Uint8Array;
  #count = 0;

  constructor(length: number) {
    this.length = length;
    this.#bits = new Uint8Array(Math.ceil(length / 8));
  }

  static of(have: readonly boolean[]): ChunkMap {
    const map = new ChunkMap(have.length);
    for (const [n, there] of have.entries()) if (there) map.set(n);
    return map;
  }

  /** @returns `undefined` when the text is no map of so many chunks */
  static parse(text: string, length: number): ChunkMap | undefined {
    const bytes = Buffer.from(text, 'base64');
    const map = new ChunkMap(length);
    if (bytes.length !== map.#bits.length || bytes.toString('base64') !== text) return undefined;
    for (let n = 0; n < 8 * bytes.length; n++) {
      if ((((bytes[n >> 3] ?? 0) >> (n & 7)) & 1) === 0) continue;
      // Bits behind the last chunk speak of nothing.
      if (n >= length) return undefined;
      map.set(n);
    }
    return map;
  }

  toString(): string {
    return Buffer.from(this.#bits).toString('base64');
  }

  toArray(): boolean[] {
    return Array.from({ length: this.length }, (_, n) => this.has(n));
  }

  /** how many are there */
  get count(): number {
    return this.#count;
  }

  get complete(): boolean {
    return this.#count === this.length;
  }

  has(n: number): boolean {
    return (((this.#bits[n >> 3] ?? 0) >> (n & 7)) & 1) === 1;
  }

  set(n: number): void {
    if (n < 0 || n >= this.length || this.has(n)) return;
    this.#bits[n >> 3] = (this.#bits[n >> 3] ?? 0) | (1 << (n & 7));
    this.#count += 1;
  }
}
