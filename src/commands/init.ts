import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { EdgeError, messageOf } from '../errors.ts';
import { generateKeyPair, keyId, writePrivateKey } from '../keys/key-pair.ts';
import { formatTrustFile, trustEntry } from '../keys/trust-store.ts';
import { commentedDefaults } from '../messages/config.ts';
import { CONFIG_NAME, OPERATOR_KEY_NAME } from './context.ts';
import { say } from './output.ts';

export function registerInit(program: Command): void {
  program
    .command('init')
    .description('make a commented configuration and an operator key that this robot trusts')
    .argument('[folder]', 'where to put them', '.')
    .option('--print', 'only print the default configuration')
    .action((folder: string, options: { print?: boolean }) => {
      if (options.print) say(commentedDefaults());
      else initialise(folder);
    });
}

/** Writes configuration, operator key and trust file; refuses to replace any. */
export function initialise(folder: string, config = commentedDefaults()): void {
  const paths = {
    config: join(folder, CONFIG_NAME),
    key: join(folder, OPERATOR_KEY_NAME),
    trust: join(folder, 'trust.yaml'),
  };
  for (const path of Object.values(paths)) {
    if (existsSync(path))
      throw new EdgeError('usage', `${path} is there already`, 'remove it, or choose another folder');
  }
  try {
    mkdirSync(folder, { recursive: true });
    const { privateKey, publicKey } = generateKeyPair();
    writePrivateKey(paths.key, privateKey);
    writeFileSync(paths.trust, formatTrustFile([trustEntry(publicKey, 'operator', 'made by h2o-edge init')]));
    writeFileSync(paths.config, config);
    say(`${paths.config}: the configuration; set serial.path`);
    say(`${paths.key}: the operator's private key ${keyId(publicKey)}; whoever has it can make the robot move`);
    say(`${paths.trust}: the keys that the robot trusts; at present only this one`);
  } catch (error) {
    if (error instanceof EdgeError) throw error;
    throw new EdgeError(
      'fileUnreadable',
      `cannot write to ${folder}: ${messageOf(error)}`,
      'check the folder and its permissions',
    );
  }
}
