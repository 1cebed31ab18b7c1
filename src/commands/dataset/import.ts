import { rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { ExportReport } from '../../dataset/export/export-dataset.ts';
import { refuseUnlessEmpty } from '../../dataset/export/export-dataset.ts';
import { DATASET_FILE, openDataset } from '../../dataset/open-dataset.ts';
import type { TransitionSource } from '../../dataset/source.ts';
import { say, sayJson } from '../output.ts';
import { openOptions, type ReadFlags, withReadOptions } from './options.ts';
import { writeDataset } from './write.ts';

interface Flags extends ReadFlags {
  readonly out: string;
  readonly json?: boolean;
}

export function registerImport(dataset: Command): void {
  const command = dataset
    .command('import')
    .description(`make a dataset that training reads: a folder with ${DATASET_FILE}`)
    .argument('<file>', 'a log of the real robot, a D4RL HDF5 file, an earlier export, a folder of segments')
    .requiredOption('--out <folder>', 'where to; must be empty or not exist');
  withReadOptions(command).option('--json', 'print one JSON object as the last line').action(importCommand);
}

async function importCommand(path: string, flags: Flags): Promise<void> {
  const source = await openDataset(path, openOptions(flags));
  const report = await intoFolder(source, flags.out);
  if (flags.json) sayJson({ ok: true, from: source.format, ...report, provenance: source.provenance });
  else
    say(
      `${report.path}: ${report.rows} transitions, ${report.episodes} episodes, ${report.falls} falls, from ${source.format}`,
    );
}

/** Writes a dataset into a folder of its own; after an error the folder is gone too, if it was made for this. */
export async function intoFolder(source: TransitionSource, folder: string): Promise<ExportReport> {
  await refuseUnlessEmpty(folder);
  try {
    return await writeDataset(source, 'd4rl', join(folder, DATASET_FILE));
  } catch (error) {
    await rmdir(folder).catch(() => undefined);
    throw error;
  }
}
