import type { Command } from 'commander';
import { EdgeError } from '../../errors.ts';
import type { PolicyAction, PolicyVersion } from '../../messages/policy-updates.ts';
import { say, sayJson } from '../output.ts';
import { connectToRobot, operatorKey, type RobotOptions, withKey, withRobot } from '../robot-client.ts';

interface OrderOptions extends RobotOptions {
  json?: boolean;
}

/** What an operator says of versions on a running robot, signed; and what the robot says of them. */
export function registerPolicyOrders(policy: Command): void {
  const order = (name: string, words: string, description: string) =>
    withKey(withRobot(policy.command(name)))
      .description(description)
      .argument(words)
      .option('--json', 'print one JSON object as the last line');

  order(
    'activate',
    '<id@version>',
    'put a version in charge of its policy; it is on trial first, and goes back by itself',
  ).action((which: string, options: OrderOptions) => give('activate', versionOf(which), options));
  order(
    'shadow',
    '<id@version>',
    'let a version run beside the one in charge, unheard, and measure how they differ',
  ).action((which: string, options: OrderOptions) => give('shadow', versionOf(which), options));
  order('unshadow', '<id@version>', 'end that').action((which: string, options: OrderOptions) =>
    give('unshadow', versionOf(which), options),
  );
  order('rollback', '<id>', 'bring back the version that was in charge before').action(rollback);

  withRobot(policy.command('list'))
    .description('the versions of policies that a robot has: which is in charge, and why others are not')
    .option('--json', 'print one JSON object as the last line')
    .action(list);
}

function versionOf(which: string): { id: string; version: number } {
  const [, id, version] = /^([a-z0-9][a-z0-9-]{0,62})@([1-9]\d{0,14})$/.exec(which) ?? [];
  if (id !== undefined && version !== undefined) return { id, version: Number(version) };
  throw new EdgeError('usage', `"${which}" is no version of a policy`, 'write ID@VERSION as in `h2o-edge policy list`');
}

const DONE: Readonly<Record<PolicyAction, string>> = {
  activate: 'is in charge, on trial',
  rollback: 'is in charge again',
  shadow: 'runs beside the one in charge',
  unshadow: 'runs no more beside the one in charge',
};

async function give(action: PolicyAction, { id, version }: { id: string; version: number }, options: OrderOptions) {
  // A key that is not there is said before the robot is asked for anything.
  const key = operatorKey(options);
  const client = await connectToRobot(options);
  try {
    await client.command({ name: 'policy', action, id, version }, key);
  } finally {
    client.close();
  }
  if (options.json) sayJson({ ok: true, action, id, version });
  else say(`${id} version ${version} ${DONE[action]}`);
}

async function rollback(id: string, options: OrderOptions): Promise<void> {
  const key = operatorKey(options);
  const client = await connectToRobot(options);
  let version: number;
  try {
    const { policies } = await client.status();
    const previous = policies.find((one) => one.id === id && one.previous);
    if (!previous) {
      const known = [...new Set(policies.map((one) => one.id))].join(', ') || 'none';
      throw new EdgeError(
        'requestRefused',
        `there is no version of "${id}" to go back to (policies: ${known})`,
        'see `h2o-edge policy list`',
      );
    }
    version = previous.version;
    await client.command({ name: 'policy', action: 'rollback', id, version }, key);
  } finally {
    client.close();
  }
  if (options.json) sayJson({ ok: true, action: 'rollback', id, version });
  else say(`${id} version ${version} ${DONE.rollback}`);
}

async function list(options: OrderOptions): Promise<void> {
  const client = await connectToRobot(options);
  let policies: PolicyVersion[];
  try {
    ({ policies } = await client.status());
  } finally {
    client.close();
  }
  if (options.json) {
    sayJson({ ok: true, policies });
    return;
  }
  if (policies.length === 0) say('no policies; `h2o-edge policy push` brings one');
  for (const version of policies) for (const line of describe(version)) say(line);
}

/** A version in a line or two. */
export function describe({
  id,
  version,
  stage,
  active,
  previous,
  reasons,
  shadow,
  trial,
  replayed,
}: PolicyVersion): string[] {
  const mark = active ? '*' : previous ? '<' : ' ';
  const facts = [
    ...(active ? ['in charge'] : []),
    ...(previous ? ['to go back to'] : []),
    ...(replayed && replayed.decisions > 0
      ? [`replayed on ${replayed.decisions} decisions, rms ${replayed.rms.toFixed(3)}`]
      : []),
    ...(shadow
      ? [
          `shadow ${shadow.seconds.toFixed(0)} of ${shadow.wanted} s, rms ${shadow.rms.toFixed(3)}, guard ${percent(shadow.outside)} (before ${percent(shadow.outsideBefore)})`,
        ]
      : []),
    ...(trial
      ? [
          `trial ${trial.seconds.toFixed(0)} of ${trial.wanted} s, guard ${percent(trial.frames > 0 ? trial.limited / trial.frames : 0)} (before ${percent(trial.limitedBefore)})`,
        ]
      : []),
  ];
  return [
    `${mark} ${id}@${version}  ${stage}${facts.length > 0 ? `  ${facts.join(', ')}` : ''}`,
    ...reasons.map((reason) => `    ${reason}`),
  ];
}

const percent = (share: number): string => `${(100 * share).toFixed(1)}%`;
