import { closeSync, constants, lstatSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { type BundleBytes, readBundle } from '../../policy/vet.ts';
import type { BundlePlace } from './bench-messages.ts';

/** What a folder of a bundle may be called: nothing that leads out of the folder that it lies in. */
const PLAIN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/**
 * Reads a bundle from where a stranger may write. Neither the folder, nor the one above it, nor a file may be a symbolic link;
 * and what was opened is what is read, even if somebody puts another in its place meanwhile.
 */
export function readFrom({ base, name }: BundlePlace): BundleBytes {
  const nothing = (problem: string): BundleBytes => ({ manifest: problem, signature: problem, model: problem });
  if (!PLAIN.test(name)) return nothing('lies in a folder whose name is no plain name');
  if (process.platform !== 'linux') {
    const isFolder = [base, join(base, name)].every((path) =>
      lstatSync(path, { throwIfNoEntry: false })?.isDirectory(),
    );
    return isFolder ? readBundle(join(base, name), { follow: false }) : nothing('cannot be read');
  }
  const opened: number[] = [];
  try {
    const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
    const above = openSync(base, flags);
    opened.push(above);
    const folder = openSync(`/proc/self/fd/${above}/${name}`, flags);
    opened.push(folder);
    return readBundle(`/proc/self/fd/${folder}`, { follow: false });
  } catch {
    return nothing('cannot be read');
  } finally {
    for (const file of opened) closeSync(file);
  }
}
