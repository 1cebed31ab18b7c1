import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { acknowledgement } from '../../recording/acknowledged.ts';
import { isSegment } from '../../recording/segment-name.ts';
import { type SegmentReport, verifyDirectory } from '../../recording/verify.ts';
import { withConfig } from '../context.ts';
import { say, sayJson } from '../output.ts';
import { megabytes, timeText, whereOf } from './recordings.ts';

export function registerList(dataset: Command): void {
  withConfig(dataset.command('ls'))
    .description('list segments: state, rows, size, task, time; and folders of segments beside them')
    .argument('[folder]', "where segments are (default: this robot's recordings)")
    .option('--json', 'print one JSON object as the last line')
    .action(list);
}

async function list(named: string | undefined, options: { config?: string; json?: boolean }): Promise<void> {
  const folder = whereOf(named, options);
  const { files } = await verifyDirectory(folder);
  const segments: Listed[] = [];
  for (const file of files) {
    const held = file.state === 'sealed' && (await acknowledgement(join(folder, file.file), file.bytes)) !== undefined;
    segments.push({ ...summary([file]), file: file.file, state: file.state, acknowledged: held });
  }
  const folders = await foldersIn(folder);
  if (options.json) return sayJson({ segments, folders });
  for (const one of segments) {
    say(line([one.file, `${one.state}${one.acknowledged ? ', acknowledged' : ''}`], one));
  }
  for (const one of folders) {
    say(line([`${one.folder}/`, `${one.segments} segments${one.corrupt > 0 ? `, ${one.corrupt} corrupt` : ''}`], one));
  }
  if (segments.length + folders.length === 0) say(`${folder} holds no segments`);
}

interface Summary {
  readonly bytes: number;
  readonly rows: number;
  readonly events: number;
  readonly tasks: readonly string[];
  readonly first: string | undefined;
  readonly last: string | undefined;
}

interface Listed extends Summary {
  readonly file: string;
  readonly state: SegmentReport['state'];
  /** somebody else is known to hold it */
  readonly acknowledged: boolean;
}

interface ListedFolder extends Summary {
  readonly folder: string;
  readonly segments: number;
  readonly corrupt: number;
}

/** Folders one level below that hold segments, such as datasets that were imported or fetched from robots. */
async function foldersIn(folder: string): Promise<ListedFolder[]> {
  const listed: ListedFolder[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isDirectory() || entry.name.startsWith('.')) continue;
    const path = join(folder, entry.name);
    if (!(await readdir(path).catch(() => [])).some(isSegment)) continue;
    const { files, segments, corrupt } = await verifyDirectory(path);
    listed.push({ ...summary(files), folder: entry.name, segments, corrupt });
  }
  return listed.sort((a, b) => (a.folder < b.folder ? -1 : 1));
}

function summary(files: readonly SegmentReport[]): Summary {
  const times = files.flatMap(({ firstNs, lastNs }) => [firstNs ?? [], lastNs ?? []].flat());
  const [some] = times;
  return {
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    rows: files.reduce((sum, { rows }) => sum + rows, 0),
    events: files.reduce((sum, { events }) => sum + events, 0),
    tasks: [...new Set(files.flatMap(({ tasks }) => tasks))],
    first: timeText(some === undefined ? some : times.reduce((a, b) => (a < b ? a : b), some)),
    last: timeText(some === undefined ? some : times.reduce((a, b) => (a > b ? a : b), some)),
  };
}

const line = (head: readonly string[], { rows, bytes, tasks, first, last }: Summary): string =>
  [...head, `${rows} rows`, megabytes(bytes), tasks.join(', ') || 'no task', `${first ?? '?'} … ${last ?? '?'}`].join(
    '  ',
  );
