import { readdirSync } from 'node:fs';
import type { Command } from 'commander';
import type { GapFile, Range } from '../simulation/gap.ts';
import { say, sayJson } from './output.ts';

interface Options {
  json?: boolean;
}

export function registerGap(program: Command): void {
  const gap = program.command('gap').description('dynamics gaps: how a simulated robot differs from the robot file');
  gap
    .command('list')
    .description('the gaps that ship, by the names that --gap takes')
    .option('--json', 'print one JSON object as the last line')
    .action(list);
  gap
    .command('show')
    .description('what gaps change, alone or together')
    .argument('<gap...>', 'names of gaps that ship, or paths to YAML files; several compose')
    .option('--json', 'print one JSON object as the last line')
    .action(show);
  gap
    .command('check')
    .description('read gap files and name every mistake with its line')
    .argument('<file...>', 'YAML files')
    .option('--json', 'print one JSON object as the last line')
    .action(check);
}

// The simulator is not on a robot: nothing of its room is loaded before a command needs it.
const simulation = () => import('../simulation/gap.ts');

async function list({ json = false }: Options): Promise<void> {
  const { gapsDirectory, readGap } = await simulation();
  const gaps = readdirSync(gapsDirectory)
    .filter((file) => file.endsWith('.yaml'))
    .sort()
    .map((file) => readGap(file.replace(/\.yaml$/, '')));
  if (json) sayJson({ gaps: gaps.map(({ name, description }) => ({ name, description })) });
  else for (const { name, description } of gaps) say(`${name.padEnd(16)} ${description}`);
}

async function show(names: readonly string[], { json = false }: Options): Promise<void> {
  const { drawGap, noGap, rangesOf, readGap } = await simulation();
  const files = names.map(readGap);
  const randomised = files.some((file) => rangesOf(file).length > 0);
  // of a range there is no one value to compose with
  const all = randomised ? undefined : drawGap(files, undefined);
  const changes =
    all && Object.fromEntries(Object.entries(all).filter(([key, value]) => value !== noGap[key as keyof typeof all]));
  if (json) {
    sayJson({
      gaps: files.map(({ name, source, values }) => ({ name, source, values })),
      randomised,
      composed: changes,
    });
    return;
  }
  for (const file of files) for (const line of describe(file)) say(line);
  if (files.length > 1 && changes) {
    say('all together');
    for (const [key, value] of Object.entries(changes)) say(valueLine(key, value));
  }
}

async function check(paths: readonly string[], { json = false }: Options): Promise<void> {
  const { rangesOf, readGap } = await simulation();
  const files = paths.map(readGap);
  if (json) {
    sayJson({ ok: true, gaps: files.map((file) => ({ path: file.path, ranges: rangesOf(file) })) });
    return;
  }
  for (const file of files) {
    const ranges = rangesOf(file);
    say(`${file.path}: good${ranges.length > 0 ? `, drawn anew each episode: ${ranges.join(', ')}` : ''}`);
  }
}

const describe = ({ name, description, source, values }: GapFile): string[] => [
  `${name}: ${description}`,
  `  source: ${source}`,
  ...Object.entries(values).map(([key, value]) => valueLine(key, value)),
];

const valueLine = (key: string, value: number | Range): string =>
  `  ${key.padEnd(22)} ${typeof value === 'number' ? value : `${value.min} … ${value.max}, drawn anew each episode`}`;
