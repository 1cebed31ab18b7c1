import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Command } from 'commander';
import { EdgeError, messageOf } from '../../errors.ts';
import { bySequence, isSegment } from '../../recording/segment-name.ts';
import { type Survey, surveySegment } from '../../recording/survey.ts';
import { withConfig } from '../context.ts';
import { say, sayJson } from '../output.ts';
import { isFolder, megabytes, timeText, whereOf } from './recordings.ts';

export function registerInfo(dataset: Command): void {
  withConfig(dataset.command('info'))
    .description('what a segment, or a folder of them, holds: behaviour, robot, revision, channels, episodes, falls')
    .argument('[path]', "a segment or a folder (default: this robot's recordings)")
    .option('--json', 'print one JSON object as the last line')
    .action(info);
}

async function info(named: string | undefined, options: { config?: string; json?: boolean }): Promise<void> {
  const path = whereOf(named, options);
  const files = (await isFolder(path))
    ? (await readdir(path))
        .filter(isSegment)
        .sort(bySequence)
        .map((file) => join(path, file))
    : [path];
  const surveys: Survey[] = [];
  for (const file of files) {
    const survey = await surveySegment(file, basename(file)).catch((error) => {
      throw new EdgeError('fileUnreadable', `cannot read ${file}: ${messageOf(error)}`, 'check its permissions');
    });
    surveys.push(survey);
  }
  const [only] = surveys;
  // Anything at all can be named by hand; of a segment at least the opening can be read.
  if (files[0] === path && only && only.channels.length === 0 && Object.keys(only.metadata).length === 0) {
    throw new EdgeError('segmentUnreadable', `${path} is no segment: ${only.reason}`, 'name a segment or a folder');
  }
  const report = merged(path, surveys);
  if (options.json) sayJson(report);
  else for (const line of describe(report)) say(line);
}

type Report = ReturnType<typeof merged>;

/** All segments as one. Of the metadata, each key with every value that it has in one of them. */
function merged(path: string, surveys: readonly Survey[]) {
  const sum = (number: (one: Survey) => number) => surveys.reduce((total, one) => total + number(one), 0);
  const times = surveys.flatMap(({ firstNs, lastNs }) => [firstNs ?? [], lastNs ?? []].flat());
  const [some] = times;
  const metadata: Record<string, string[]> = {};
  for (const { metadata: of } of surveys) {
    for (const [key, value] of Object.entries(of)) {
      if (PER_SEGMENT.has(key) && surveys.length > 1) continue;
      metadata[key] = [...new Set([...(metadata[key] ?? []), value])];
    }
  }
  const channels = new Map<string, Survey['channels'][number]>();
  for (const one of surveys.flatMap((survey) => survey.channels)) {
    channels.set(one.topic, { ...one, messages: one.messages + (channels.get(one.topic)?.messages ?? 0) });
  }
  return {
    path,
    segments: surveys.length,
    bytes: sum(({ bytes }) => bytes),
    unsealed: surveys.filter(({ state }) => state === 'cut').map(({ file, reason }) => `${file}: ${reason}`),
    damaged: surveys.filter(({ state }) => state === 'damaged').map(({ file, reason }) => `${file}: ${reason}`),
    rows: sum(({ rows }) => rows),
    boots: [...new Set(surveys.flatMap(({ boots }) => boots))],
    // An episode that goes on in the next segment counts in both.
    episodes: sum(({ episodes }) => episodes),
    falls: sum(({ falls }) => falls),
    timeouts: sum(({ timeouts }) => timeouts),
    tasks: added(surveys.map(({ tasks }) => tasks)),
    controllers: added(surveys.map(({ controllers }) => controllers)),
    first: timeText(some === undefined ? some : times.reduce((a, b) => (a < b ? a : b), some)),
    last: timeText(some === undefined ? some : times.reduce((a, b) => (a > b ? a : b), some)),
    metadata,
    channels: [...channels.values()],
  };
}

/** What is another in every segment by its nature. */
const PER_SEGMENT = new Set(['openedWallNs', 'openedMonotonicMs', 'crc32', 'boot']);

function added(counts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const all: Record<string, number> = {};
  for (const one of counts) for (const [key, value] of Object.entries(one)) all[key] = (all[key] ?? 0) + value;
  return all;
}

const shares = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([name, rows]) => `${name} ${rows} rows`)
    .join(', ') || 'none';

const describe = (report: Report): string[] => [
  report.path,
  `  ${report.segments} segments, ${megabytes(report.bytes)}, ${report.first ?? '?'} … ${report.last ?? '?'}`,
  `  ${report.rows} rows, ${report.episodes} episodes, ${report.falls} falls, ${report.timeouts} ended otherwise`,
  `  tasks        ${shares(report.tasks)}`,
  `  controllers  ${shares(report.controllers)}`,
  ...Object.entries(report.metadata).map(([key, values]) => `  ${key.padEnd(12)} ${values.join(', ')}`),
  ...report.channels.map(
    ({ topic, schema, encoding, messages }) => `  ${topic.padEnd(12)} ${messages} messages, ${schema}, ${encoding}`,
  ),
  ...report.unsealed.map((what) => `  not sealed: ${what}`),
  ...report.damaged.map((what) => `  damaged: ${what}`),
];
