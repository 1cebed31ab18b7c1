import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { openDataset } from '../../dataset/open-dataset.ts';
import { plotDataset } from '../../dataset/plot.ts';
import { EdgeError, messageOf } from '../../errors.ts';
import { say, sayJson } from '../output.ts';
import { openOptions, type ReadFlags, withReadOptions } from './options.ts';

export function registerPlot(dataset: Command): void {
  withReadOptions(dataset.command('plot'))
    .description('draw a dataset: histograms of states and actions, x, v and pitch over time, coverage; as SVG')
    .argument('<path>', 'a folder of segments, or a dataset of any form that `dataset export` writes')
    .requiredOption('--out <folder>', 'where the figures go')
    .option('--json', 'print one JSON object as the last line')
    .action(plot);
}

async function plot(path: string, options: ReadFlags & { out: string; json?: boolean }): Promise<void> {
  const source = await openDataset(path, openOptions(options));
  const { files, survey } = await plotDataset(source);
  for (const warning of source.warnings) process.stderr.write(`warning: ${warning}\n`);
  const written: string[] = [];
  try {
    await mkdir(options.out, { recursive: true });
    for (const [name, svg] of files) {
      await writeFile(join(options.out, name), svg);
      written.push(join(options.out, name));
    }
  } catch (error) {
    const remedy = 'name a folder that can be written, with --out';
    throw new EdgeError('datasetNotWritten', `cannot write to ${options.out}: ${messageOf(error)}`, remedy);
  }
  if (options.json) sayJson({ files: written, transitions: survey.statistics.transitions });
  else for (const file of written) say(file);
}
