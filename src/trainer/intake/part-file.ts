import { type FileHandle, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ChunkMap, chunksOf } from '../../messages/bulk/chunk-map.ts';
import type { DatasetOffer } from '../../messages/mqtt.ts';

/** A segment that is not all there yet. */
export const PART = '.part';
/** Beside it: which chunks are. */
export const NOTE = '.json';

const noteSchema = z.object({
  sha256: z.string(),
  bytes: z.int(),
  chunkBytes: z.int(),
  have: z.string(),
});

type What = Pick<DatasetOffer, 'sha256' | 'bytes' | 'chunkBytes'>;

/** The chunks of a segment that have come, in a file of its full length; outlives a crash but for the latest of them. */
export class PartFile {
  readonly path: string;
  readonly #notePath: string;
  readonly #what: What;
  #file: FileHandle | undefined;
  #have: ChunkMap;

  private constructor(folder: string, what: What) {
    this.path = join(folder, `${what.sha256}${PART}`);
    this.#notePath = join(folder, `${what.sha256}${NOTE}`);
    this.#what = what;
    this.#have = new ChunkMap(chunksOf(what.bytes, what.chunkBytes));
  }

  /** Goes on with what is there, or begins anew. @throws node's errors */
  static async open(folder: string, what: What): Promise<PartFile> {
    const part = new PartFile(folder, what);
    const noted = await part.#noted();
    if (noted) part.#have = noted;
    else await part.discard();
    part.#file = await open(part.path, noted ? 'r+' : 'w+', 0o640);
    return part;
  }

  get have(): ChunkMap {
    return this.#have;
  }

  /** @throws node's errors; the chunk is not there then */
  async write(n: number, payload: Uint8Array): Promise<void> {
    if (!this.#file) throw new Error(`${this.path} is closed`);
    let done = 0;
    while (done < payload.length) {
      const at = n * this.#what.chunkBytes + done;
      const { bytesWritten } = await this.#file.write(payload, done, payload.length - done, at);
      if (bytesWritten === 0)
        throw Object.assign(new Error('ENOSPC: the disk takes no more bytes'), { code: 'ENOSPC' });
      done += bytesWritten;
    }
    this.#have.set(n);
  }

  /** Notes what is there: first the chunks are on the medium, then the note. @throws node's errors */
  async save(): Promise<void> {
    const { sha256, bytes, chunkBytes } = this.#what;
    const have = this.#have.toString();
    await this.#file?.datasync();
    const writing = `${this.#notePath}.new`;
    const note = await open(writing, 'w', 0o640);
    try {
      await note.writeFile(JSON.stringify({ sha256, bytes, chunkBytes, have }));
      await note.datasync();
    } finally {
      await note.close();
    }
    await rename(writing, this.#notePath);
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  /** Nothing of it is there afterwards. */
  async discard(): Promise<void> {
    await this.close();
    // The note first: without it chunks are nothing, without chunks it would be wrong.
    await rm(this.#notePath, { force: true });
    await rm(this.path, { force: true });
  }

  /** The file has gone into the store: only its note is left over. */
  async forget(): Promise<void> {
    await this.close();
    await rm(this.#notePath, { force: true });
  }

  /** Which chunks are there by the note; `undefined` when it does not fit. */
  async #noted(): Promise<ChunkMap | undefined> {
    const { sha256, bytes, chunkBytes } = this.#what;
    try {
      const note = noteSchema.parse(JSON.parse(await readFile(this.#notePath, 'utf8')));
      if (note.sha256 !== sha256 || note.bytes !== bytes || note.chunkBytes !== chunkBytes) return undefined;
      const have = ChunkMap.parse(note.have, this.#have.length);
      if (!have) return undefined;
      // Shorter than its last chunk says: the file system has lost it.
      let end = 0;
      for (let n = 0; n < have.length; n++) if (have.has(n)) end = Math.min(bytes, (n + 1) * chunkBytes);
      return (await stat(this.path)).size >= end ? have : undefined;
    } catch {
      return undefined;
    }
  }
}
