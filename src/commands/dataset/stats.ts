import type { Command } from 'commander';
import { openDataset } from '../../dataset/open-dataset.ts';
import { type Moments, type Statistics, surveyDataset } from '../../dataset/statistics.ts';
import { say, sayJson } from '../output.ts';
import { openOptions, type ReadFlags, withReadOptions } from './options.ts';

export function registerStats(dataset: Command): void {
  withReadOptions(dataset.command('stats'))
    .description('what a dataset is like: counts, returns, falls, share of clamped rows, coverage of the state space')
    .argument('<path>', 'a folder of segments, or a dataset of any form that `dataset export` writes')
    .option('--json', 'print one JSON object as the last line')
    .action(stats);
}

async function stats(path: string, options: ReadFlags & { json?: boolean }): Promise<void> {
  const source = await openDataset(path, openOptions(options));
  const { statistics } = await surveyDataset(source);
  for (const warning of source.warnings) process.stderr.write(`warning: ${warning}\n`);
  if (options.json) sayJson({ path, format: source.format, ...statistics, warnings: source.warnings });
  else for (const line of describe(statistics)) say(line);
}

/** What a person reads of it; also beside the figures of a dataset. */
export function describe(statistics: Statistics): string[] {
  const { transitions, episodes, falls, cuts, seconds, coverage, clampedShare, marks } = statistics;
  const lasted = seconds === undefined ? '' : `, ${seconds.toFixed(1)} s`;
  return [
    `${transitions} transitions${lasted}: ${episodes} episodes, of which ${falls} ended in a fall and ${cuts} were cut`,
    `return of an episode  ${moments(statistics.return)}`,
    `its length            ${moments(statistics.length)}`,
    `reward                ${moments(statistics.reward)}`,
    ...[...statistics.observations, ...statistics.actions].map((one) => `${one.name.padEnd(21)} ${moments(one)}`),
    ...(clampedShare === undefined ? [] : [`${percent(clampedShare)} of the rows clamped`]),
    ...Object.entries(marks ?? {}).map(([mark, share]) => `  ${mark.padEnd(19)} ${percent(share)}`),
    ...(coverage === undefined
      ? []
      : [`coverage: ${percent(coverage.balance)} of pitch × pitch rate, ${percent(coverage.travel)} of x × v`]),
  ];
}

const moments = ({ min, mean, max, std }: Moments): string =>
  `mean ${number(mean)}, std ${number(std)}, from ${number(min)} to ${number(max)}`;

const number = (value: number): string => String(Number(value.toPrecision(4)));

const percent = (share: number): string => `${(100 * share).toFixed(share > 0 && share < 0.1 ? 2 : 1)} %`;
