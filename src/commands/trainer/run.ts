import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EdgeError } from '../../errors.ts';
import { loadTrainerConfig, type TrainerConfig } from '../../trainer/config.ts';
import { Trainer } from '../../trainer/trainer.ts';
import { revision } from '../context.ts';
import { runProcess } from '../process.ts';
import type { TrainerOptions } from '../trainer.ts';

export const TRAINER_CONFIG_NAME = 'trainer.yaml';

/** @throws EdgeError `fileUnreadable`, `configInvalid` */
export function findTrainerConfig({ config }: TrainerOptions): TrainerConfig {
  const path = resolve(config ?? TRAINER_CONFIG_NAME);
  if (existsSync(path)) return loadTrainerConfig(path);
  throw new EdgeError(
    'fileUnreadable',
    `there is no ${path}`,
    'write one (docs/trainer.md has one to begin with), or name it with --config',
  );
}

export async function runTrainer(options: TrainerOptions): Promise<void> {
  const config = findTrainerConfig(options);
  const script = process.argv[1] ?? fileURLToPath(new URL('../../h2o-edge.cjs', import.meta.url));
  // As this process was started: with a loader, if there is one.
  const program: [string, ...string[]] = [process.execPath, ...process.execArgv, script];
  await runProcess(config.logLevel, (log) => new Trainer({ config, revision, program, log }));
}
