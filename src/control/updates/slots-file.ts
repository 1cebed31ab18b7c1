import { readFileSync } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { messageOf } from '../../errors.ts';
import { policyStageSchema, policyVersionSchema } from '../../messages/policy-updates.ts';
import { NO_SLOTS, type Slots } from './slots.ts';

const { selfTest, replayed, shadow } = policyVersionSchema.shape;

const recordSchema = z.strictObject({
  version: z.int().positive(),
  sha256: z.string(),
  manifest: z.string(),
  spec: z.string(),
  keyId: z.string(),
  from: z.enum(['store', 'folder']),
  stage: policyStageSchema.exclude(['offered', 'downloaded']),
  reasons: z.array(z.string()),
  since: z.number(),
  failed: z.boolean(),
  selfTest,
  replayed,
  shadow,
});

const slotsSchema: z.ZodType<Slots> = z.strictObject({
  slots: z.record(
    z.string(),
    z.strictObject({ versions: z.array(recordSchema), active: z.int().nullable(), previous: z.int().nullable() }),
  ),
  ratchet: z.record(z.string(), z.record(z.string(), z.int())),
  trial: z.strictObject({ id: z.string(), version: z.int() }).nullable(),
});

/**
 * `slots.json`: which version of which policy is active, and the highest that ever was. It is written whole beside itself,
 * synced and renamed, so that a power cut leaves the old one or the new one; nothing that a bundle contains is a part of its
 * path.
 */
export class SlotsFile {
  /** why it could not be written; empty if it could */
  problem = '';
  readonly #path: string;
  #writing: Promise<boolean> = Promise.resolve(true);

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * Once, before the port is opened.
   * @returns what stands in it; a text says why it cannot be used: what was the highest version is not known then
   */
  load(): Slots | string {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (error) {
      const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      return isMissing ? NO_SLOTS : `${this.#path} cannot be read: ${messageOf(error)}`;
    }
    try {
      return slotsSchema.parse(JSON.parse(text));
    } catch {
      return `${this.#path} is not what control has written`;
    }
  }

  /** Puts it on disk, one after the other. @returns whether it is there */
  save(slots: Slots): Promise<boolean> {
    const before = this.#writing;
    this.#writing = (async () => {
      await before;
      try {
        await this.#write(`${JSON.stringify(slots, null, 1)}\n`);
        this.problem = '';
        return true;
      } catch (error) {
        this.problem = messageOf(error);
        return false;
      }
    })();
    return this.#writing;
  }

  async #write(text: string): Promise<void> {
    const folder = dirname(this.#path);
    const draft = `${this.#path}.part`;
    await mkdir(folder, { recursive: true });
    const file = await open(draft, 'w');
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, this.#path);
    await syncFolder(folder);
  }
}

/** The names in a folder outlive a power cut only once the folder is on the disk as well. */
export async function syncFolder(path: string): Promise<void> {
  const listing = await open(path, 'r');
  try {
    await listing.sync();
  } finally {
    await listing.close();
  }
}
