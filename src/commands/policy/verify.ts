import type { Command } from 'commander';
import { selfTest } from '../../control/updates/self-test.ts';
import { EdgeError } from '../../errors.ts';
import { loadTrustStore } from '../../keys/trust-store.ts';
import { type Config, configSchema } from '../../messages/config.ts';
import { vetBundle } from '../../policy/vet.ts';
import { loadRobot } from '../../robot/robot.ts';
import { findConfig, withConfig } from '../context.ts';
import { say, sayJson } from '../output.ts';

interface VerifyOptions {
  config?: string;
  robot?: string;
  trust?: string;
  json?: boolean;
}

export function registerVerify(policy: Command): void {
  withConfig(policy.command('verify'))
    .description('say whether a robot would take a policy bundle, and every reason why not')
    .argument('<folder>', 'the bundle: policy.onnx, manifest.json, manifest.sig')
    .option('--robot <name>', "a robot file, in place of the configuration's")
    .option('--trust <file>', "trusted keys, in place of the configuration's")
    .option('--json', 'print one JSON object as the last line')
    .action(verify);
}

/** What a run may take on this machine [µs], as control reckons it. */
const budgetUs = (config: Config | undefined, rate: number): number =>
  ((config ?? configSchema.parse({})).policyLatencyBudget * 1e6) / rate;

async function verify(folder: string, options: VerifyOptions): Promise<void> {
  // A configuration is only needed for what is not named.
  const config = options.robot !== undefined && options.trust !== undefined ? undefined : findConfig(options);
  const robot = loadRobot(options.robot ?? config?.robot ?? '');
  const trust = loadTrustStore(options.trust ?? config?.trust ?? '');
  const verdict = await vetBundle(folder, { robot, trust, now: Date.now() });
  const { id } = verdict;
  const reasons = [...verdict.reasons];
  const tested = verdict.bundle && (await selfTest(verdict.bundle, budgetUs(config, verdict.bundle.manifest.rate)));
  if (tested) reasons.push(...tested.reasons);
  const ok = reasons.length === 0;
  if (options.json) sayJson({ ok, id, reasons, ...(tested && { selfTest: tested.found }) });
  else if (ok) say(`${id}: good for ${robot.name}`);
  if (!ok) {
    throw new EdgeError(
      'bundleRefused',
      `${id} is refused:\n  ${reasons.join('\n  ')}`,
      'each reason says what to mend',
    );
  }
}
