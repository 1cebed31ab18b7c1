import { z } from 'zod';
import type { DurableFiles } from '../durable-files.ts';
import { parse } from './job-book.ts';

const schema = z.record(z.string(), z.int().positive());

/**
 * The highest version of each policy that was ever given away, in a file of its own: a version is never used twice, also
 * when the job that had it came to nothing, and when folders of jobs and policies were cleared away.
 */
export class VersionBook {
  readonly #files: DurableFiles;
  readonly #path: string;

  constructor(files: DurableFiles, path: string) {
    this.#files = files;
    this.#path = path;
  }

  /**
   * A version that nobody had before; on disk when this returns.
   * @param least the first there can be
   * @param known versions that are in use, whatever the file says
   * @throws EdgeError `fileUnreadable`, `fileInvalid`; then none is given
   */
  reserve(policy: string, least: number, known: readonly number[]): number {
    const text = this.#files.read(this.#path);
    const versions = text === undefined ? {} : parse(text, schema, this.#path);
    const version = Math.max(least, (versions[policy] ?? 0) + 1, ...known.map((one) => one + 1));
    this.#files.write(this.#path, `${JSON.stringify({ ...versions, [policy]: version }, null, 2)}\n`);
    return version;
  }
}
