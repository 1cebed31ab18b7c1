import type { Command } from 'commander';
import { mergeSources } from '../../dataset/merge.ts';
import { DATASET_FILE, openDataset } from '../../dataset/open-dataset.ts';
import { say, sayJson } from '../output.ts';
import { intoFolder } from './import.ts';
import { openOptions, type ReadFlags, withReadOptions } from './options.ts';

interface Flags extends ReadFlags {
  readonly out: string;
  readonly json?: boolean;
}

export function registerMerge(dataset: Command): void {
  const command = dataset
    .command('merge')
    .description(`join datasets of one task, robot and rate to one: a folder with ${DATASET_FILE}`)
    .argument('<dataset...>', 'two or more, of any form')
    .requiredOption('--out <folder>', 'where to; must be empty or not exist');
  withReadOptions(command).option('--json', 'print one JSON object as the last line').action(mergeCommand);
}

async function mergeCommand(paths: readonly string[], flags: Flags): Promise<void> {
  const sources = [];
  for (const path of paths) sources.push(await openDataset(path, openOptions(flags)));
  const source = mergeSources(sources);
  const report = await intoFolder(source, flags.out);
  if (flags.json) sayJson({ ok: true, datasets: paths.length, ...report, provenance: source.provenance });
  else
    say(
      `${report.path}: ${report.rows} transitions, ${report.episodes} episodes, ${report.falls} falls, from ${paths.length} datasets`,
    );
}
