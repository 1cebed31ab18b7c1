import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type PolicyOffer, policyOffer } from '../../messages/mqtt-policy.ts';
import { bundleFiles, sha256 } from '../../policy/bundle.ts';
import { crc32 } from '../../protocol/crc32.ts';
import { type Disk, realDisk, writeAll } from '../../recording/disk.ts';

/** What has begun to come: the offer, and a file for each chunk. Nobody but this file looks into it. */
const PART = '.part';
/** A bundle that is being put together. Never taken for one. */
const NEW = '.new';
const OFFER = 'offer.json';
/** Number of the chunk, and its CRC: a chunk that a dying process wrote half is known by it. */
const CHUNK = /^(\d{6})-([0-9a-f]{8})$/;

/**
 * Name of an offer's folder. It is told apart by manifest and signature, not by the model alone: a bad manifest for a good
 * model must not stand in the way of the good one.
 */
export const folderOf = ({ id, version, manifest, signature }: PolicyOffer): string =>
  `${id}-${version}-${sha256(Buffer.from(`${manifest}\0${signature}`)).slice(0, 12)}`;

/** Length that a chunk must have [bytes]. */
export const chunkLength = ({ model, chunkBytes, chunks }: PolicyOffer, n: number): number =>
  n === chunks - 1 ? model.bytes - n * chunkBytes : chunkBytes;

/**
 * The folder of bundles that are on their way to control. A bundle has its plain name there only when all of it is on the
 * medium; a process that is killed at any moment leaves what `open` goes on with, or clears away.
 */
export class Incoming {
  readonly directory: string;
  readonly #disk: Disk;

  constructor(directory: string, disk: Disk = realDisk) {
    this.directory = directory;
    this.#disk = disk;
  }

  /**
   * Makes the folder and clears away what an earlier process did not finish and cannot be gone on with.
   * @returns bundles that are complete, and offers whose download had begun
   * @throws node's errors
   */
  async open(): Promise<{ readonly complete: readonly string[]; readonly begun: readonly PolicyOffer[] }> {
    await mkdir(this.directory, { recursive: true, mode: 0o750 });
    const complete: string[] = [];
    const begun: PolicyOffer[] = [];
    for (const name of (await readdir(this.directory)).toSorted()) {
      const offer = name.endsWith(PART) ? await this.#offer(name) : undefined;
      if (offer) begun.push(offer);
      else if (name.endsWith(PART) || name.endsWith(NEW)) await this.#clear(name);
      else complete.push(name);
    }
    return { complete, begun: begun.filter((offer) => !complete.includes(folderOf(offer))) };
  }

  /**
   * Begins a download, or goes on with one.
   * @returns which chunks are there already
   * @throws node's errors
   */
  async begin(offer: PolicyOffer): Promise<boolean[]> {
    const folder = join(this.directory, `${folderOf(offer)}${PART}`);
    const have = Array<boolean>(offer.chunks).fill(false);
    await mkdir(folder, { recursive: true, mode: 0o750 });
    if (!(await this.#disk.exists(join(folder, OFFER)))) {
      await this.#write(folder, OFFER, Buffer.from(JSON.stringify(offer)));
    }
    for (const name of await readdir(folder)) {
      const [, number, crc] = CHUNK.exec(name) ?? [];
      if (number === undefined) continue;
      const bytes = await readFile(join(folder, name));
      const n = Number(number);
      const good = n < offer.chunks && bytes.length === chunkLength(offer, n) && crcText(bytes) === crc;
      if (good) have[n] = true;
      else await this.#disk.remove(join(folder, name));
    }
    return have;
  }

  /** Keeps a chunk of the right length. @throws node's errors, then nothing is kept */
  async keep(offer: PolicyOffer, n: number, bytes: Uint8Array): Promise<void> {
    const folder = join(this.directory, `${folderOf(offer)}${PART}`);
    const name = `${String(n).padStart(6, '0')}-${crcText(bytes)}`;
    await this.#write(folder, name, bytes, { durable: false });
  }

  /**
   * Puts a bundle together of what came. When this resolves with `true` it is there under its plain name, on the medium.
   * @returns false when what came is not the model that was offered; it is thrown away then
   * @throws node's errors, then nothing of it is to be seen
   */
  async finish(offer: PolicyOffer): Promise<boolean> {
    const name = folderOf(offer);
    const part = join(this.directory, `${name}${PART}`);
    const files = (await readdir(part)).filter((file) => CHUNK.test(file)).toSorted();
    const model = Buffer.concat(await Promise.all(files.map((file) => readFile(join(part, file)))));
    if (model.length !== offer.model.bytes || sha256(model) !== offer.model.sha256) {
      await this.#clear(`${name}${PART}`);
      return false;
    }
    await this.#clear(`${name}${NEW}`);
    const writing = join(this.directory, `${name}${NEW}`);
    try {
      await mkdir(writing, { mode: 0o750 });
      await this.#write(writing, bundleFiles.model.name, model);
      await this.#write(writing, bundleFiles.manifest.name, Buffer.from(offer.manifest));
      await this.#write(writing, bundleFiles.signature.name, Buffer.from(offer.signature));
      await this.#disk.syncDirectory(writing);
    } catch (error) {
      await this.#clear(`${name}${NEW}`);
      throw error;
    }
    await this.#disk.rename(writing, join(this.directory, name));
    await this.#disk.syncDirectory(this.directory);
    await this.#clear(`${name}${PART}`);
    return true;
  }

  /** All that there is of it. @throws node's errors */
  async remove(name: string): Promise<void> {
    await this.#clear(name);
    await this.#clear(`${name}${PART}`);
  }

  /** What may still be written there [bytes]. @throws node's errors */
  freeBytes(): Promise<number> {
    return this.#disk.freeBytes(this.directory);
  }

  async #offer(name: string): Promise<PolicyOffer | undefined> {
    try {
      const offer = policyOffer.parse(JSON.parse(await readFile(join(this.directory, name, OFFER), 'utf8')));
      return `${folderOf(offer)}${PART}` === name ? offer : undefined;
    } catch {
      return undefined;
    }
  }

  async #write(folder: string, name: string, bytes: Uint8Array, { durable = true } = {}): Promise<void> {
    const path = join(folder, name);
    await this.#disk.remove(path);
    const file = await this.#disk.create(path);
    try {
      await writeAll(file, bytes, 0);
      if (durable) await file.sync();
    } catch (error) {
      await this.#disk.remove(path).catch(() => {});
      throw error;
    } finally {
      await file.close();
    }
  }

  async #clear(name: string): Promise<void> {
    await rm(join(this.directory, name), { recursive: true, force: true });
  }
}

const crcText = (bytes: Uint8Array): string => crc32(bytes).toString(16).padStart(8, '0');
