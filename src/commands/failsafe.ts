import { existsSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { EdgeError } from '../errors.ts';
import { type ArmedMode, modeSchema } from '../messages/mode.ts';
import { loadRobot, type Robot } from '../robot/robot.ts';
import { taskNames } from '../robot/tasks/tasks.ts';
import { type Condition, recoveryOf } from '../safety/condition.ts';
import { ACTION_SAYS, explainCondition } from '../safety/failsafe-reference.ts';
import { CONDITION_IDS, type ConditionId, FAILSAFE_TABLE } from '../safety/failsafe-table.ts';
import { whatIf } from '../safety/what-if.ts';
import { CONFIG_NAME, findConfig, withConfig } from './context.ts';
import { nearest } from './nearest.ts';
import { say, sayJson } from './output.ts';

interface FailsafeOptions {
  config?: string;
  robot?: string;
  explain?: string;
  when?: string;
  mode: string;
  controller: string;
  frames?: number;
  json?: boolean;
}

export function registerFailsafe(program: Command): void {
  withConfig(program.command('failsafe'))
    .description('the failsafe table: what can go wrong, what the robot does then, and when it is over')
    .option('--explain <condition>', 'one condition in full')
    .option(
      '--when <conditions>',
      'names apart by commas: what the robot would do, frame by frame, until it is at rest',
    )
    .addOption(new Option('--mode <task>', 'with --when: what it is doing').choices(taskNames).default(taskNames[0]))
    .option('--controller <name>', 'with --when: balancer or the id of a policy', 'balancer')
    .addOption(new Option('--frames <n>', 'with --when: they hold for so many frames; else for ever').argParser(frames))
    .option('--robot <name>', "a robot file, in place of the configuration's")
    .option('--json', 'print one JSON object as the last line')
    .action(failsafe);
}

function frames(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new InvalidArgumentError('must be a whole number above 0.');
}

function failsafe(options: FailsafeOptions): void {
  const robot = robotOf(options);
  if (options.when !== undefined) step(options.when, options, robot);
  else if (options.explain !== undefined) explain(conditionNamed(options.explain), options, robot);
  else list(options, robot);
}

/** The table is worth reading where no robot has been configured yet. */
function robotOf(options: FailsafeOptions): Robot {
  if (options.robot !== undefined) return loadRobot(options.robot);
  const configured = options.config ?? process.env.H2O_EDGE_CONFIG;
  const isThere = [CONFIG_NAME, `/etc/h2o-edge/${CONFIG_NAME}`].some(existsSync);
  return loadRobot(configured !== undefined || isThere ? findConfig(options).robot : 'wheel-legged');
}

function conditionNamed(name: string): ConditionId {
  const id = CONDITION_IDS.find((known) => known === name.trim());
  if (id !== undefined) return id;
  const near = nearest(name, CONDITION_IDS);
  throw new EdgeError(
    'usage',
    `there is no condition "${name}"`,
    near.length > 0 ? `did you mean ${near.join(', ')}?` : '`h2o-edge failsafe` lists them all',
  );
}

const asData = (id: ConditionId, robot: Robot) => {
  const found: Condition & { readonly id: ConditionId } =
    FAILSAFE_TABLE[CONDITION_IDS.indexOf(id)] ?? FAILSAFE_TABLE[0];
  const { holds: _, threshold, ...row } = found;
  return { ...row, recovery: recoveryOf(found), threshold: threshold(robot) };
};

function list({ json }: FailsafeOptions, robot: Robot): void {
  if (json) {
    sayJson({ robot: robot.name, conditions: CONDITION_IDS.map((id) => asData(id, robot)) });
    return;
  }
  const widest = Math.max(...CONDITION_IDS.map((id) => id.length));
  for (const row of FAILSAFE_TABLE) {
    const debounce = `${row.debounce} frame${row.debounce === 1 ? '' : 's'}`;
    say(`${row.id.padEnd(widest)}  ${row.action.padEnd(8)}  clears: ${row.clears.padEnd(8)}  ${debounce}`);
    say(`${''.padEnd(widest)}  ${row.threshold(robot)}  [${row.source}]`);
  }
}

function explain(id: ConditionId, { json }: FailsafeOptions, robot: Robot): void {
  const row = asData(id, robot);
  if (json) sayJson({ robot: robot.name, ...row, does: ACTION_SAYS[row.action] });
  else
    for (const line of explainCondition({ ...row, threshold: () => row.threshold, holds: () => false }, robot))
      say(line);
}

function step(names: string, options: FailsafeOptions, robot: Robot): void {
  const conditions = names
    .split(',')
    .filter((name) => name.trim() !== '')
    .map(conditionNamed);
  if (conditions.length === 0) {
    throw new EdgeError('usage', '--when names no condition', 'name one or more, apart by commas');
  }
  const parsed = modeSchema.safeParse({ task: options.mode, controller: options.controller });
  if (!parsed.success || parsed.data.task === 'disarmed') {
    throw new EdgeError('usage', `"${options.controller}" is no controller`, 'give "balancer" or the id of a policy');
  }
  const mode: ArmedMode = parsed.data;
  const steps = whatIf({ robot, mode, conditions, frames: options.frames });
  if (options.json) {
    sayJson({ robot: robot.name, mode, conditions, frames: options.frames ?? null, steps });
    return;
  }
  say(
    `${robot.name} is running: ${mode.task} under ${mode.controller}; now ${conditions.join(' and ')} begin${conditions.length === 1 ? 's' : ''} to hold`,
  );
  for (const { frame, at, state, controller, command, reasons } of steps) {
    const who = state === 'running' ? `, controller: ${controller}` : '';
    say(
      `frame ${String(frame).padStart(4)}  ${at.toFixed(3)} s  ${state}${who}, motor controller told: ${command}  [${reasons.join(', ')}]`,
    );
  }
  const last = steps.at(-1);
  if (last) say(`it stays ${last.state}`);
}
