import { existsSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { EdgeError, messageOf } from '../errors.ts';
import { generateKeyPair, keyId, readPublicKey, writePrivateKey, writePublicKey } from '../keys/key-pair.ts';
import { formatTrustFile, type Role, readTrustFile, roles, trustEntry } from '../keys/trust-store.ts';
import { registerCertificates } from './certificates.ts';
import { findConfig, withConfig } from './context.ts';
import { say, sayJson } from './output.ts';

interface TrustOptions {
  config?: string;
  trust?: string;
  json?: boolean;
}

export function registerKeys(program: Command): void {
  const keys = program
    .command('keys')
    .description('signing keys of operators and of those who release policies; certificates for TLS');
  const role = (command: Command) =>
    command.addOption(
      command.createOption('--role <role>', 'what the key may do').choices(roles).makeOptionMandatory(),
    );

  keys
    .command('generate')
    .description('make a key pair: FILE and FILE.pub')
    .argument('<file>')
    .action((file: string) => {
      const { privateKey, publicKey } = generateKeyPair();
      writePrivateKey(file, privateKey);
      writePublicKey(`${file}.pub`, publicKey);
      say(`${file}: private, give it to nobody`);
      say(
        `${file}.pub: public, key ${keyId(publicKey)}; trust it on a robot with \`h2o-edge keys trust ${file}.pub --role …\``,
      );
    });

  role(withTrust(keys.command('trust')))
    .description('let this robot trust a public key; takes effect when the robot is started next')
    .argument('<file>', 'the public key')
    .option('--name <words>', 'whose key it is', '')
    .action((file: string, options: TrustOptions & { role: Role; name: string }) => {
      const path = trustPath(options);
      const entry = trustEntry(readPublicKey(file), options.role, options.name || file);
      const others = trusted(path).filter((other) => other.id !== entry.id);
      writeTrust(path, formatTrustFile([...others, entry]));
      say(`${path}: trusts ${entry.id} as ${entry.role}`);
    });

  withTrust(keys.command('list'))
    .description('the keys that this robot trusts')
    .option('--json', 'print one JSON object as the last line')
    .action((options: TrustOptions) => {
      const path = trustPath(options);
      const entries = trusted(path).map(({ id, role, name }) => ({ id, role, name }));
      if (options.json) sayJson({ trust: path, keys: entries });
      else if (entries.length === 0) say(`${path}: nobody is trusted`);
      else for (const { id, role, name } of entries) say(`${id}  ${role}  ${name}`);
    });

  registerCertificates(keys);
}

const withTrust = (command: Command): Command =>
  withConfig(command).option('--trust <file>', "the trust file, in place of the configuration's");

const trustPath = (options: TrustOptions): string => options.trust ?? findConfig(options).trust;

const trusted = (path: string) => (existsSync(path) ? readTrustFile(path) : []);

function writeTrust(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new EdgeError('fileUnreadable', `cannot write ${path}: ${messageOf(error)}`, 'check its permissions');
  }
}
