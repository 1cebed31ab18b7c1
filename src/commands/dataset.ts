import type { Command } from 'commander';
import { registerAcknowledge } from './dataset/acknowledge.ts';
import { registerExport } from './dataset/export.ts';
import { registerImport } from './dataset/import.ts';
import { registerInfo } from './dataset/info.ts';
import { registerList } from './dataset/ls.ts';
import { registerMerge } from './dataset/merge.ts';
import { registerPlot } from './dataset/plot.ts';
import { registerRepair } from './dataset/repair.ts';
import { registerStats } from './dataset/stats.ts';
import { registerVerify } from './dataset/verify.ts';

/** `h2o-edge dataset …`: one file for each. */
const SUBCOMMANDS = [
  registerList,
  registerInfo,
  registerVerify,
  registerRepair,
  registerAcknowledge,
  registerStats,
  registerPlot,
  registerExport,
  registerImport,
  registerMerge,
] as const;

export function registerDataset(program: Command): void {
  const dataset = program.command('dataset').description('what the robot has recorded');
  for (const register of SUBCOMMANDS) register(dataset);
}
