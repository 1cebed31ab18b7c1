import { readdir, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Command } from 'commander';
import { EdgeError, messageOf } from '../../errors.ts';
import { DirectoryLock } from '../../recording/directory-lock.ts';
import { realDisk } from '../../recording/disk.ts';
import { type Repaired, repairPart } from '../../recording/repair.ts';
import { bySequence, isSegment, PART, REPAIRING, SEALED } from '../../recording/segment-name.ts';
import { SegmentReader } from '../../recording/segment-reader.ts';
import { withConfig } from '../context.ts';
import { say, sayJson } from '../output.ts';
import { isFolder, whereOf } from './recordings.ts';

export function registerRepair(dataset: Command): void {
  withConfig(dataset.command('repair'))
    .description('make whole, indexed segments of those that a crash has cut or a disk has damaged')
    .argument('[path]', "a segment or a folder of them (default: this robot's recordings)")
    .option('--json', 'print one JSON object as the last line')
    .action(repair);
}

interface Outcome {
  readonly file: string;
  /** `undefined`: it was whole */
  readonly repaired?: Repaired;
  readonly failure?: string;
}

async function repair(named: string | undefined, options: { config?: string; json?: boolean }): Promise<void> {
  const path = whereOf(named, options);
  const whole = await isFolder(path);
  const folder = whole ? path : dirname(path);
  if (!whole && !path.endsWith(PART) && !path.endsWith(SEALED)) {
    throw new EdgeError('segmentUnreadable', `${path} is no segment`, `name a file that ends in ${SEALED} or ${PART}`);
  }
  const lock = new DirectoryLock(folder);
  await lock.acquire();
  const outcomes: Outcome[] = [];
  try {
    const names = whole ? await readdir(folder) : [basename(path)];
    // Half a repair is worth nothing; what it was made from is still there.
    for (const file of names) if (file.endsWith(REPAIRING)) await realDisk.remove(join(folder, file));
    const files = whole ? names.filter(isSegment).sort(bySequence) : names;
    for (const file of files) outcomes.push(await repairOne(folder, file));
  } finally {
    await lock.release();
  }
  const failed = outcomes.filter(({ failure }) => failure !== undefined);
  const repaired = outcomes.flatMap(({ file, repaired: how }) => (how ? { file, ...namesOf(how) } : []));
  if (options.json) {
    sayJson({ segments: outcomes.length, repaired, failed, ok: failed.length === 0 });
  } else {
    for (const one of repaired) say(describe(one));
    say(`${outcomes.length} segments, ${repaired.length} repaired, ${failed.length} could not be`);
  }
  if (failed.length > 0) {
    throw new EdgeError(
      'recordingFailed',
      `${failed.length} of ${outcomes.length} segments were not repaired and are as they were:\n  ${failed.map(({ file, failure }) => `${file}: ${failure}`).join('\n  ')}`,
      'make room or mend the disk, or copy the folder to another one and repair it there',
    );
  }
}

async function repairOne(folder: string, file: string): Promise<Outcome> {
  const path = join(folder, file);
  try {
    if (file.endsWith(PART)) return { file, repaired: await repairPart(path, realDisk) };
    const reader = new SegmentReader(path);
    for await (const _ of reader.chunks());
    if (reader.ending?.kind === 'sealed') return { file };
    return { file, repaired: await repairSealed(path) };
  } catch (error) {
    return { file, failure: messageOf(error) };
  }
}

/** From its new name on it is one that a recorder would repair when it starts: whatever cuts this off, nothing is lost. */
async function repairSealed(path: string): Promise<Repaired> {
  const part = `${path.slice(0, -SEALED.length)}${PART}`;
  if (await realDisk.exists(part)) {
    throw new EdgeError('recordingFailed', `there is ${basename(part)} beside it`, 'move one of the two away');
  }
  await rename(path, part);
  try {
    return await repairPart(part, realDisk, { keepOriginal: true });
  } catch (error) {
    await rename(part, path);
    throw error;
  }
}

const namesOf = ({ sealed, keptAside, ...rest }: Repaired) => ({
  ...rest,
  sealed: sealed && basename(sealed),
  keptAside: keptAside && basename(keptAside),
});

const describe = (one: { file: string } & ReturnType<typeof namesOf>): string =>
  [
    `${one.file}: ${one.reason}`,
    one.sealed ? `${one.rows} rows in ${one.sealed}` : 'no whole message in it',
    ...(one.lostBytes > 0 ? [`${one.lostBytes} bytes could not be used`] : []),
    ...(one.keptAside ? [`the original is ${one.keptAside}`] : []),
  ].join('; ');
