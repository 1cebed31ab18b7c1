import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { NOTE, PART } from './part-file.ts';

/**
 * Makes room for what is to come: segments that were begun and are not being received go, the oldest first. Their robots
 * still have them.
 * @param folder of parts
 * @param inUse SHA-256 of those that stay
 * @param isEnough whether there is room now
 * @returns whether there is
 * @throws node's errors
 */
export async function makeRoom(
  folder: string,
  inUse: (sha256: string) => boolean,
  isEnough: () => Promise<boolean>,
): Promise<boolean> {
  if (await isEnough()) return true;
  const parts: { sha256: string; writtenMs: number }[] = [];
  for (const name of await readdir(folder)) {
    const sha256 = name.slice(0, -PART.length);
    if (!name.endsWith(PART) || inUse(sha256)) continue;
    const found = await stat(join(folder, name)).catch(() => undefined);
    if (found) parts.push({ sha256, writtenMs: found.mtimeMs });
  }
  for (const { sha256 } of parts.sort((a, b) => a.writtenMs - b.writtenMs)) {
    await rm(join(folder, `${sha256}${NOTE}`), { force: true });
    await rm(join(folder, `${sha256}${PART}`), { force: true });
    if (await isEnough()) return true;
  }
  return false;
}
