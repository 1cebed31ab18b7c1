import type { Command } from 'commander';
import { EdgeError } from '../errors.ts';
import { type DirectoryReport, type SegmentReport, verifyDirectory } from '../recording/verify.ts';
import { registerExport } from './dataset/export.ts';
import { registerImport } from './dataset/import.ts';
import { registerMerge } from './dataset/merge.ts';
import { say, sayJson } from './output.ts';

export function registerDataset(program: Command): void {
  const dataset = program.command('dataset').description('what the robot has recorded');
  dataset
    .command('verify')
    .description('read every segment of a folder to its end: count rows and gaps, check every CRC')
    .argument('<folder>', 'where segments are, also while a recorder writes there')
    .option('--json', 'print one JSON object as the last line')
    .action(verify);
  dataset
    .command('ls')
    .description('list the segments of a folder')
    .argument('<folder>', 'where segments are')
    .option('--json', 'print one JSON object as the last line')
    .action(list);
  registerExport(dataset);
  registerImport(dataset);
  registerMerge(dataset);
}

async function verify(folder: string, options: { json?: boolean }): Promise<void> {
  const { files, ...report } = await verifyDirectory(folder);
  const bad = files.filter(({ state }) => state === 'corrupt');
  if (options.json) sayJson(report);
  else for (const line of describe(report)) say(line);
  if (!report.ok) {
    throw new EdgeError(
      'segmentUnreadable',
      `${bad.length} of ${files.length} segments are damaged:\n  ${bad.map(({ file, reason }) => `${file}: ${reason}`).join('\n  ')}`,
      'their rows up to the damage can be read; a recorder repairs a .part when it starts, a sealed segment has to come from a copy',
    );
  }
}

const describe = (report: Omit<DirectoryReport, 'files'>): string[] => [
  `${report.segments} segments, ${report.rows} rows, ${report.events} events`,
  `${report.gaps} gaps, ${report.duplicates} rows a second time, ${report.corrupt} damaged segments`,
  ...(report.open > 0 ? [`${report.open} segments are not sealed: being written, or left by a crash`] : []),
  ...(report.keptAside > 0 ? [`${report.keptAside} damaged originals were kept aside by a repair`] : []),
];

async function list(folder: string, options: { json?: boolean }): Promise<void> {
  const { files } = await verifyDirectory(folder);
  if (options.json) {
    sayJson({
      segments: files.map(({ file, bytes, rows, events, state, firstNs, lastNs }) => ({
        file,
        bytes,
        rows,
        events,
        state,
        first: timeText(firstNs),
        last: timeText(lastNs),
      })),
    });
    return;
  }
  for (const file of files) say(describeSegment(file));
}

const describeSegment = ({ file, bytes, rows, state, firstNs, lastNs }: SegmentReport): string =>
  [file, state, `${rows} rows`, `${(bytes / 1e6).toFixed(1)} MB`, `${timeText(firstNs)} … ${timeText(lastNs)}`].join(
    '  ',
  );

/** ISO 8601; a segment without messages has no time, and one with a broken clock none that can be written so. */
function timeText(ns: bigint | undefined): string | undefined {
  const date = new Date(Number((ns ?? 0n) / 1_000_000n));
  return ns === undefined || Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}
