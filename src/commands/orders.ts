import type { KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { type Command, Option } from 'commander';
import { EdgeError } from '../errors.ts';
import { describeMode, type Mode, modeSchema, needsHeartbeat } from '../messages/mode.ts';
import type { Command as RobotCommand } from '../messages/requests.ts';
import { taskNames } from '../robot/tasks/tasks.ts';
import { registerRecord } from './collect/record.ts';
import { confirmReset } from './confirm-reset.ts';
import { findConfig } from './context.ts';
import { Heartbeat } from './heartbeat.ts';
import { say, sayJson } from './output.ts';
import {
  connectToRobot,
  operatorKey,
  type RobotClient,
  type RobotOptions,
  speaksOverBroker,
  withKey,
  withRobot,
} from './robot-client.ts';

interface OrderOptions extends RobotOptions {
  json?: boolean;
}

interface ModeOptions extends OrderOptions {
  controller: string;
  velocity?: number;
  seconds?: number;
}

/** The signed orders that a person gives to a running robot. */
export function registerOrders(program: Command): void {
  const order = (name: string) =>
    withKey(withRobot(program.command(name))).option('--json', 'print one JSON object as the last line');

  order('reset')
    .description('undo an emergency stop or a latch of the motor controller; the robot stays disarmed')
    .option(
      '--confirm',
      'only confirm, on the robot itself, that the stop may be undone; whoever has a key then has a minute to reset',
    )
    .action(reset);

  order('mode')
    .description('arm the robot for a task, change what it does, or disarm it')
    .argument('<task>', `${taskNames.join(', ')} or disarmed`)
    .option('--controller <name>', 'balancer (built in) or the id of a policy', 'balancer')
    .addOption(new Option('--velocity <m/s>', 'forward speed, for the balancer').argParser(Number))
    .addOption(new Option('--seconds <n>', 'for a mode that moves: how long').argParser(Number))
    .action(mode);

  registerRecord(order('record'));
}

function report(json: object, words: string, options: OrderOptions): void {
  if (options.json) sayJson(json);
  else say(words);
}

interface ResetOptions extends OrderOptions {
  confirm?: boolean;
}

async function reset(options: ResetOptions): Promise<void> {
  if (options.confirm) {
    if (speaksOverBroker(options)) {
      const remedy = 'run it on the robot, without --broker';
      throw new EdgeError('usage', '--confirm is said on the robot itself, not over a broker', remedy);
    }
    const seen = await confirmReset(findConfig(options));
    const words = seen ? `confirmed: the stop by ${seen.source} may be undone` : 'no stop is in force';
    report({ ok: true, confirmed: seen !== undefined, source: seen?.source ?? '' }, words, options);
    return;
  }
  // A key that is not there must not leave half of a reset behind.
  const key = operatorKey(options);
  const unconfirmed = await confirmHere(options);
  await give({ name: 'reset' }, options, key).catch((error: unknown) => {
    const wanted = error instanceof EdgeError && error.message.includes('confirmation-wanted');
    throw wanted && unconfirmed ? unconfirmed : error;
  });
  report({ ok: true }, 'reset: the robot is disarmed', options);
}

/** Whoever resets on the robot itself has confirmed it by that. @returns why that could not be said */
async function confirmHere(options: OrderOptions): Promise<EdgeError | undefined> {
  if (speaksOverBroker(options)) return undefined;
  const config = findConfig(options);
  if (config.resetConfirmation === 'none') return undefined;
  try {
    await confirmReset(config);
    return undefined;
  } catch (error) {
    // Another latch than an e-stop's wants no confirmation: that is for control to say.
    if (error instanceof EdgeError && error.codeName === 'notRunning') return error;
    throw error;
  }
}

async function give(
  command: RobotCommand,
  options: OrderOptions,
  key: KeyObject = operatorKey(options),
): Promise<void> {
  const client = await connectToRobot(options);
  try {
    await client.command(command, key);
  } finally {
    client.close();
  }
}

async function mode(task: string, options: ModeOptions): Promise<void> {
  const wanted = parseMode(task, options);
  // Disarming is stopping: it needs no key.
  const key = wanted.task === 'disarmed' ? undefined : operatorKey(options);
  const client = await connectToRobot(options);
  try {
    if (key === undefined) await disarm(client);
    else if (!needsHeartbeat(wanted)) await client.command({ name: 'mode', mode: wanted }, key);
    else {
      const heartbeat = new Heartbeat();
      await client.command({ name: 'mode', mode: wanted, session: heartbeat.session }, key);
      heartbeat.start(client);
      if (!options.json) say(`${describeMode(wanted)}; it holds when this command ends: Ctrl-C`);
      await untilToldToEnd(options.seconds);
      heartbeat.stop();
    }
  } finally {
    client.close();
  }
  report({ ok: true, mode: wanted }, describeMode(wanted), options);
}

/** @throws EdgeError `noAnswer` when the motor controller does not follow */
async function disarm(client: RobotClient): Promise<void> {
  await client.disarm();
  for (let look = 0; look < 20; look++) {
    const { mcu } = await client.status();
    if (mcu.state !== 'active') return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new EdgeError('noAnswer', 'the motor controller stays active', 'stop the robot: `h2o-edge estop`');
}

async function untilToldToEnd(seconds: number | undefined): Promise<void> {
  const told = [once(process, 'SIGINT'), once(process, 'SIGTERM'), once(process, 'SIGHUP')];
  const over = new Promise((resolve) => {
    if (seconds !== undefined) setTimeout(resolve, seconds * 1000);
  });
  await Promise.race([...told, over]);
}

function parseMode(task: string, { controller, velocity }: ModeOptions): Mode {
  const velocities = velocity === undefined ? {} : { targetVelocity: velocity };
  const wanted = task === 'disarmed' ? { task } : { task, controller, ...velocities };
  const parsed = modeSchema.safeParse(wanted);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
  throw new EdgeError('usage', `this is no mode: ${problems}`, `tasks: ${taskNames.join(', ')}, disarmed`);
}
