import { copyFile, link, stat, utimes } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EdgeError } from '../errors.ts';
import type { Disk } from './disk.ts';
import { DAMAGED, PART, REPAIRING, SEALED } from './segment-name.ts';
import { SegmentReader } from './segment-reader.ts';
import { SegmentWriter } from './segment-writer.ts';

export interface Repaired {
  /** the sealed segment; `undefined` when the file held no message */
  readonly sealed: string | undefined;
  readonly rows: number;
  /** bytes after the last good chunk that are not in the sealed segment */
  readonly lostBytes: number;
  /** the original, kept because more is wrong with it than a commit that was cut off */
  readonly keptAside: string | undefined;
  readonly reason: string;
}

/**
 * Makes a sealed segment of what a writer left behind when it died: every message up to the first damage, unchanged, with
 * the schemas that it was written with.
 *
 * What is lost is normally one commit that never ended, and of that nobody was told that it was safe: the bytes go. When
 * bytes are wrong, or more of them are behind the last good chunk than one commit has, the medium has failed: then the
 * whole original stays beside the repaired segment as `.damaged`, since it may hold acknowledged rows after the damage.
 *
 * A crash in the middle of this changes nothing: the `.part` is replaced in one step by its finished repair. Also one that
 * looks complete is written anew: after an fdatasync that failed, what can be read need not be on the medium.
 * @param options.keepOriginal also one that only lacks its end stays beside: there should have been more of it
 * @throws node's errors, EdgeError `recordingFailed`; the `.part` is then as it was
 */
export async function repairPart(
  path: string,
  disk: Disk,
  { keepOriginal = false }: { readonly keepOriginal?: boolean } = {},
): Promise<Repaired> {
  const stem = path.slice(0, -PART.length);
  const folder = dirname(path);
  const repairing = `${stem}${REPAIRING}`;
  if (await disk.exists(`${stem}${SEALED}`)) {
    throw new EdgeError(
      'recordingFailed',
      `${path} is not repaired: there is a sealed segment of the same name`,
      'move one of the two to another folder; a recorder never makes both',
    );
  }
  await disk.remove(repairing);
  const { atime, mtime } = await stat(path);

  const reader = new SegmentReader(path);
  let writer: SegmentWriter | undefined;
  let rows = 0;
  try {
    for await (const messages of reader.chunks()) {
      writer ??= await openCopy(reader, repairing, disk);
      await writer.append(messages);
      rows += messages.filter((message) => reader.isRow(message)).length;
    }
    await writer?.finish();
    // A repair does not make a segment younger: its time says which run of `control` was the latest.
    if (writer) await utimes(repairing, atime, mtime);
  } catch (error) {
    await writer?.abandon();
    await disk.remove(repairing).catch(() => undefined);
    throw error;
  }

  const { ending } = reader;
  const complete = ending === undefined || ending.kind === 'sealed';
  const wrong = ending?.kind === 'damaged' || (keepOriginal && !complete);
  const keptAside = wrong ? await freeName(stem, disk) : undefined;
  if (keptAside) await keep(path, keptAside);
  const sealed = writer && `${stem}${SEALED}`;
  if (sealed) {
    // First the contents, then the name: were the repair to get the final name at once, a crash could leave both.
    await disk.rename(repairing, path);
    await disk.rename(path, sealed);
  } else await disk.remove(path);
  await disk.syncDirectory(folder);
  return {
    sealed,
    rows,
    lostBytes: complete ? 0 : ending.lost,
    keptAside,
    reason: complete ? 'it only lacked its name' : ending.reason,
  };
}

async function openCopy(reader: SegmentReader, path: string, disk: Disk): Promise<SegmentWriter> {
  const writer = new SegmentWriter({
    disk,
    path,
    metadata: new Map([...reader.metadata, ['repaired', 'yes']]),
    schemas: reader.schemas,
    channels: reader.channels,
  });
  await writer.open();
  return writer;
}

/** Where an original can stay: no older one is replaced. */
async function freeName(stem: string, disk: Disk): Promise<string> {
  for (let copy = 1; ; copy++) {
    const name = `${stem}${copy > 1 ? `.${copy}` : ''}${DAMAGED}`;
    if (!(await disk.exists(name))) return name;
  }
}

/** A second name for the original; a copy where the file system knows no second names (FAT on an SD card). */
async function keep(path: string, aside: string): Promise<void> {
  await link(path, aside).catch(() => copyFile(path, aside));
}
