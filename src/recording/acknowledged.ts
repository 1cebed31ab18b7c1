import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { type Disk, realDisk, writeAll } from './disk.ts';
import { SEALED } from './segment-name.ts';

/** Ending of the file beside a sealed segment that says who else has it. */
export const ACKNOWLEDGED = '.acknowledged';

const acknowledgementSchema = z.object({
  /** of the segment, hexadecimal */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** length of the segment [bytes] */
  bytes: z.int().min(1),
  /** who has confirmed to hold it */
  by: z.string(),
  /** when, ISO 8601 */
  at: z.string(),
});
export type Acknowledgement = z.output<typeof acknowledgementSchema>;

/** Where the acknowledgement of a sealed segment stands. */
export const acknowledgementOf = (segment: string): string => `${segment.slice(0, -SEALED.length)}${ACKNOWLEDGED}`;

/**
 * Notes that somebody else holds a sealed segment: from now on it may be given up for newer ones. It is on the medium when
 * this resolves.
 * @throws node's errors; nothing is noted then
 */
export async function acknowledge(segment: string, what: Acknowledgement, disk: Disk = realDisk): Promise<void> {
  const path = acknowledgementOf(segment);
  const writing = `${path}.new`;
  await disk.remove(writing);
  const file = await disk.create(writing);
  try {
    await writeAll(file, new TextEncoder().encode(`${JSON.stringify(what)}\n`), 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await disk.rename(writing, path);
  await disk.syncDirectory(dirname(path));
}

/** Who else holds a segment of this length; `undefined` when nobody has said so, or it was said of other bytes. */
export async function acknowledgement(segment: string, bytes: number): Promise<Acknowledgement | undefined> {
  try {
    const noted = acknowledgementSchema.parse(JSON.parse(await readFile(acknowledgementOf(segment), 'utf8')));
    return noted.bytes === bytes ? noted : undefined;
  } catch {
    return undefined;
  }
}
