import type { Command } from 'commander';
import { EdgeError } from '../../errors.ts';
import { type DirectoryReport, verifyDirectory } from '../../recording/verify.ts';
import { withConfig } from '../context.ts';
import { say, sayJson } from '../output.ts';
import { whereOf } from './recordings.ts';

export function registerVerify(dataset: Command): void {
  withConfig(dataset.command('verify'))
    .description('read every segment of a folder to its end: count rows and gaps, check every CRC')
    .argument('[folder]', "where segments are, also while a recorder writes there (default: this robot's recordings)")
    .option('--json', 'print one JSON object as the last line')
    .action(verify);
}

async function verify(folder: string | undefined, options: { config?: string; json?: boolean }): Promise<void> {
  const { files, ...report } = await verifyDirectory(whereOf(folder, options));
  const bad = files.filter(({ state }) => state === 'corrupt');
  if (options.json) sayJson(report);
  else for (const line of describe(report)) say(line);
  if (!report.ok) {
    throw new EdgeError(
      'segmentUnreadable',
      `${bad.length} of ${files.length} segments are damaged:\n  ${bad.map(({ file, reason }) => `${file}: ${reason}`).join('\n  ')}`,
      'take them from a copy if there is one; `h2o-edge dataset repair` makes whole segments of what is good in them',
    );
  }
}

const describe = (report: Omit<DirectoryReport, 'files'>): string[] => [
  `${report.segments} segments, ${report.rows} rows, ${report.events} events`,
  `${report.gaps} gaps, ${report.duplicates} rows a second time, ${report.corrupt} damaged segments`,
  ...(report.open > 0 ? [`${report.open} segments are not sealed: being written, or left by a crash`] : []),
  ...(report.keptAside > 0 ? [`${report.keptAside} damaged originals were kept aside by a repair`] : []),
];
