import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { EdgeError } from '../errors.ts';
import type { Config } from '../messages/config.ts';
import { describeMode, type Mode, modeSchema } from '../messages/mode.ts';
import { taskNames } from '../robot/tasks/tasks.ts';
import { connectToControl, findConfig, operatorKey, withConfig } from './context.ts';
import { say, sayJson } from './output.ts';

interface OrderOptions {
  config?: string;
  key?: string;
  json?: boolean;
}

/** The orders that a person gives to a running robot: estop, reset, mode. */
export function registerOrders(program: Command): void {
  withConfig(program.command('estop'))
    .description('stop the robot: torque off at once, latched. It falls. Anyone may do this')
    .option('--json', 'print one JSON object as the last line')
    .action(estop);

  withKey(withConfig(program.command('reset')))
    .description('undo an emergency stop or a latch of the motor controller; the robot stays disarmed')
    .option('--json', 'print one JSON object as the last line')
    .action(async (options: OrderOptions) => {
      await order({ name: 'reset' }, options);
      report({ ok: true }, 'reset: the robot is disarmed', options);
    });

  withKey(withConfig(program.command('mode')))
    .description('arm the robot for a task, change what it does, or disarm it')
    .argument('<task>', `${taskNames.join(', ')} or disarmed`)
    .option('--controller <name>', 'balancer (built in) or the id of a policy', 'balancer')
    .addOption(new Option('--velocity <m/s>', 'forward speed, for the balancer').argParser(Number))
    .option('--json', 'print one JSON object as the last line')
    .action(async (task: string, options: OrderOptions & { controller: string; velocity?: number }) => {
      const mode = parseMode(task, options);
      if (mode.task === 'disarmed') await disarm(options);
      else await order({ name: 'mode', mode }, options);
      report({ ok: true, mode }, describeMode(mode), options);
    });
}

const withKey = (command: Command): Command =>
  command.option('--key <file>', "the operator's private key (default: operator.pem beside the configuration)");

function report(json: object, words: string, options: OrderOptions): void {
  if (options.json) sayJson(json);
  else say(words);
}

function parseMode(task: string, options: { controller: string; velocity?: number }): Mode {
  const { controller, velocity } = options;
  const wanted =
    task === 'disarmed'
      ? { task }
      : { task, controller, ...(velocity === undefined ? {} : { targetVelocity: velocity }) };
  const parsed = modeSchema.safeParse(wanted);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
  throw new EdgeError('usage', `this is no mode: ${problems}`, `tasks: ${taskNames.join(', ')}, disarmed`);
}

async function order(
  command: Parameters<Awaited<ReturnType<typeof connectToControl>>['command']>[0],
  options: OrderOptions,
): Promise<void> {
  const key = operatorKey(options);
  const client = await connectToControl(findConfig(options));
  try {
    await client.command(command, key);
  } finally {
    client.close();
  }
}

/** Disarming is stopping: it needs no key. */
async function disarm(options: OrderOptions): Promise<void> {
  const client = await connectToControl(findConfig(options));
  try {
    await client.disarm();
  } finally {
    client.close();
  }
}

async function estop(options: OrderOptions): Promise<void> {
  const config = findConfig(options);
  const client = await connectToControl(config).catch((error: unknown) => {
    stopBySignal(config, error);
  });
  if (!client) return;
  try {
    const began = performance.now();
    const stagesMs: Record<string, number> = {};
    const { stages, onDisk } = await client.estop('h2o-edge estop', (stage) => {
      stagesMs[stage] = Math.round((performance.now() - began) * 10) / 10;
      if (!options.json) say(`${stage} after ${stagesMs[stage]} ms`);
    });
    const confirmed = stages.includes('confirmed');
    if (options.json) sayJson({ ok: confirmed, stagesMs, confirmed, onDisk });
    if (!confirmed) {
      throw new EdgeError(
        'noAnswer',
        'the motor controller has NOT confirmed the stop',
        'cut the power of the motors now',
      );
    }
    if (!onDisk && !options.json) say('the latch could not be written to disk; it is in force until control restarts');
  } finally {
    client.close();
  }
}

/**
 * The socket is dead, but the process may live: it stops the robot on SIGUSR2.
 * @throws EdgeError always: a stop that nobody confirmed is no success
 */
function stopBySignal(config: Config, cause: unknown): never {
  const pid = controlPid(config.runtimeDirectory);
  if (pid === undefined) throw cause;
  process.kill(pid, 'SIGUSR2');
  throw new EdgeError(
    'noAnswer',
    `control's socket is dead; process ${pid} was told to stop by SIGUSR2, and has NOT confirmed`,
    'look at the robot; if it is not down, cut the power of its motors now',
  );
}

/** The control process that left its number there, if it still runs. */
function controlPid(runtimeDirectory: string): number | undefined {
  try {
    const pid = Number(readFileSync(join(runtimeDirectory, 'control.pid'), 'utf8'));
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return words.includes('control') ? pid : undefined;
  } catch {
    return undefined;
  }
}
