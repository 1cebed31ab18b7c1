import type { Command } from 'commander';
import { registerPolicyImport } from './policy/import.ts';
import { registerInspect } from './policy/inspect.ts';
import { registerPolicyOrders } from './policy/orders.ts';
import { registerPush } from './policy/push.ts';
import { registerSign } from './policy/sign.ts';
import { registerVerify } from './policy/verify.ts';

export function registerPolicy(program: Command): void {
  const policy = program
    .command('policy')
    .description('policy bundles: what they are, whether a robot would take one, and versions on a running robot');
  registerInspect(policy);
  registerSign(policy);
  registerVerify(policy);
  registerPolicyImport(policy);
  registerPush(policy);
  registerPolicyOrders(policy);
}
