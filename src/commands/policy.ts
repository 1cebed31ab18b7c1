import type { Command } from 'commander';
import { EdgeError } from '../errors.ts';
import { loadTrustStore } from '../keys/trust-store.ts';
import { vetBundle } from '../policy/vet.ts';
import { loadRobot } from '../robot/robot.ts';
import { findConfig, withConfig } from './context.ts';
import { say, sayJson } from './output.ts';
import { registerPolicyImport } from './policy-import.ts';

interface VerifyOptions {
  config?: string;
  robot?: string;
  trust?: string;
  json?: boolean;
}

export function registerPolicy(program: Command): void {
  const policy = program.command('policy').description('policy bundles');
  withConfig(policy.command('verify'))
    .description('say whether a robot would take a policy bundle, and every reason why not')
    .argument('<folder>', 'the bundle: policy.onnx, manifest.json, manifest.sig')
    .option('--robot <name>', "a robot file, in place of the configuration's")
    .option('--trust <file>', "trusted keys, in place of the configuration's")
    .option('--json', 'print one JSON object as the last line')
    .action(verify);
  registerPolicyImport(policy);
}

async function verify(folder: string, options: VerifyOptions): Promise<void> {
  // A configuration is only needed for what is not named.
  const config = options.robot !== undefined && options.trust !== undefined ? undefined : findConfig(options);
  const robot = loadRobot(options.robot ?? config?.robot ?? '');
  const trust = loadTrustStore(options.trust ?? config?.trust ?? '');
  const { ok, id, reasons } = await vetBundle(folder, { robot, trust, now: Date.now() });
  if (options.json) sayJson({ ok, id, reasons });
  else if (ok) say(`${id}: good for ${robot.name}`);
  if (!ok) {
    throw new EdgeError(
      'bundleRefused',
      `${id} is refused:\n  ${reasons.join('\n  ')}`,
      'each reason says what to mend',
    );
  }
}
