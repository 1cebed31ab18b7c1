import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { EdgeError, messageOf } from '../errors.ts';
import { loadConfig } from '../messages/config.ts';
import { migrateConfig } from '../messages/config-migration.ts';
import { configPath, revision, withConfig } from './context.ts';
import { say, sayJson } from './output.ts';

interface ConfigOptions {
  config?: string;
  json?: boolean;
}

export function registerConfig(program: Command): void {
  const config = program.command('config').description("the robot's configuration");
  withConfig(config.command('migrate'))
    .description('bring a configuration that another release wrote to this one; the old one stays beside it')
    .option('--json', 'print one JSON object as the last line')
    .action(migrate);
}

function migrate(options: ConfigOptions): void {
  const path = configPath(options);
  const { text, changes } = migrateConfig(read(path));
  const kept = `${path}.before-${revision}`;
  if (changes.length > 0) replace(path, text, kept);
  // What is wrong besides is said now and not when the robot is to move.
  loadConfig(path);
  if (options.json) sayJson({ ok: true, changes, kept: changes.length > 0 ? kept : '' });
  else if (changes.length === 0) say(`${path} is as this release wants it`);
  else for (const line of [...changes, `the configuration as it was: ${kept}`]) say(line);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new EdgeError(
      'fileUnreadable',
      `cannot read ${path}: ${messageOf(error)}`,
      'check the path and its permissions',
    );
  }
}

/** Whole or not at all: a power cut must not leave a robot without its configuration. */
function replace(path: string, text: string, kept: string): void {
  try {
    writeFileSync(kept, readFileSync(path), { flush: true });
    writeFileSync(`${path}.new`, text, { flush: true });
    renameSync(`${path}.new`, path);
  } catch (error) {
    throw new EdgeError(
      'fileUnreadable',
      `cannot write ${path}: ${messageOf(error)}`,
      'run it as root: `sudo h2o-edge config migrate`',
    );
  }
}
