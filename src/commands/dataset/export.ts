import { type Command, Option } from 'commander';
import { EXPORT_FORMATS, type ExportFormat } from '../../dataset/export/formats.ts';
import { openDataset } from '../../dataset/open-dataset.ts';
import { say, sayJson } from '../output.ts';
import { numberArgument, openOptions, type ReadFlags, withReadOptions } from './options.ts';
import { writeDataset } from './write.ts';

interface Flags extends ReadFlags {
  readonly format: ExportFormat;
  readonly out: string;
  readonly fps?: number;
  readonly json?: boolean;
}

export function registerExport(dataset: Command): void {
  const command = dataset
    .command('export')
    .description('write transitions in a form that other programs read')
    .argument('<dataset>', 'a folder of segments, or any other dataset')
    .addOption(new Option('--format <format>', 'which form').choices(EXPORT_FORMATS).makeOptionMandatory())
    .requiredOption('--out <path>', 'file (d4rl, csv) or folder (minari, lerobot); must not exist');
  withReadOptions(command)
    .option('--fps <n>', 'frames a second for lerobot, where the dataset does not say its rate', numberArgument)
    .option('--json', 'print one JSON object as the last line')
    .action(exportCommand);
}

async function exportCommand(path: string, flags: Flags): Promise<void> {
  const source = await openDataset(path, openOptions(flags));
  const report = await writeDataset(source, flags.format, flags.out, { fps: flags.fps });
  if (flags.json) sayJson({ ok: true, format: flags.format, ...report, provenance: source.provenance });
  else
    say(
      `${report.path}: ${report.rows} transitions, ${report.episodes} episodes, ${report.falls} falls, ${(report.bytes / 1e6).toFixed(1)} MB`,
    );
}
