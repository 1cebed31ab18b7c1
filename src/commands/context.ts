import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { EdgeError } from '../errors.ts';
import { ControlClient } from '../gateway/control-client.ts';
import { type Config, loadConfig } from '../messages/config.ts';

/** What every command finds around it: configuration, keys, the running control. */

export const CONFIG_NAME = 'h2o-edge.yaml';
export const OPERATOR_KEY_NAME = 'operator.pem';

/** Version of this program, as in package.json. */
export const revision: string = JSON.parse(
  readFileSync(fileURLToPath(new URL('../../package.json', import.meta.url)), 'utf8'),
).version;

/** Adds the option that most commands share. */
export const withConfig = (command: Command): Command =>
  command.option(
    '-c, --config <file>',
    `configuration (default: $H2O_EDGE_CONFIG, ./${CONFIG_NAME}, /etc/h2o-edge/${CONFIG_NAME})`,
  );

/** The configuration file that a command works with. */
export function configPath(options: { config?: string }): string {
  const given = options.config ?? process.env.H2O_EDGE_CONFIG;
  if (given !== undefined) return resolve(given);
  const found = [resolve(CONFIG_NAME), `/etc/h2o-edge/${CONFIG_NAME}`].find(existsSync);
  if (found !== undefined) return found;
  throw new EdgeError(
    'fileUnreadable',
    `there is no ${CONFIG_NAME} here nor in /etc/h2o-edge`,
    'make one with `h2o-edge init`, or name it with --config',
  );
}

export const findConfig = (options: { config?: string }): Config => loadConfig(configPath(options));

/** A connection to the control that runs with this configuration. */
export const connectToControl = (config: Config): Promise<ControlClient> =>
  ControlClient.connect(join(config.runtimeDirectory, 'control.sock'));
