import { ACTIONS, type Action } from '../messages/states.ts';
import type { Robot } from '../robot/robot.ts';
import { CLEARS_SAYS, type Condition, clearsOf, recoveryOf } from './condition.ts';
import { FAILSAFE_TABLE } from './failsafe-table.ts';

/** What each action means for the robot, for people. */
export const ACTION_SAYS: Readonly<Record<Action, string>> = {
  warn: 'it goes on; the reason is named in state, telemetry, events and rows',
  fallback: 'the built-in balancer takes over at zero velocity: the robot holds where it is',
  brake: 'wheels are damped to zero velocity and legs held, for `timing.brakeTime`; then limp',
  limp: 'wheels are off and legs damped: the robot sinks and falls softly',
  estop: 'torque is off in the motor controller at once, latched: the robot falls',
};

/** One condition in full, a line a thought. */
export function explainCondition(row: Condition, robot: Robot): string[] {
  return [
    `${row.id}: ${row.says}`,
    `  holds when   ${row.threshold(robot)}`,
    `  debounce     ${row.debounce} frame${row.debounce === 1 ? '' : 's'}, ${(row.debounce / robot.policy.rate) * 1000} ms at ${robot.policy.rate} Hz`,
    `  action       ${row.action}: ${ACTION_SAYS[row.action]}`,
    `  clears       ${row.clears}: ${clearsOf(row)}`,
    `  remedy       ${row.remedy}`,
    `  source       ${row.source}`,
  ];
}

const cell = (text: string) => text.replaceAll('|', '\\|');

/** The whole table as Markdown, with the numbers of one robot. */
export function failsafeReference(robot: Robot): string {
  const rows = [...FAILSAFE_TABLE].sort((a, b) => ACTIONS.indexOf(b.action) - ACTIONS.indexOf(a.action));
  return [
    '# The failsafe table',
    '',
    'Made by `npm run docs` from `src/safety/failsafe-table.ts`; the same table runs on the robot. Numbers are those of the',
    `robot file \`${robot.name}\`. \`h2o-edge failsafe --explain CONDITION\` says the same of any robot file, and`,
    '`h2o-edge failsafe --when CONDITION,CONDITION` runs the robot’s own supervisor through them.',
    '',
    'Of all conditions that are active the highest action wins, and every active reason is named.',
    '',
    '| action | what the robot does |',
    '| ------ | ------------------- |',
    ...[...ACTIONS].reverse().map((action) => `| ${action} | ${cell(ACTION_SAYS[action])} |`),
    '',
    '| it clears | when |',
    '| --------- | ---- |',
    ...Object.entries(CLEARS_SAYS).map(([clears, says]) => `| ${clears} | ${cell(says)} |`),
    '',
    '| condition | holds when | frames | action | clears | means | do | source |',
    '| --------- | ---------- | -----: | ------ | ------ | ----- | -- | ------ |',
    ...rows.map((row) =>
      [
        '',
        `\`${row.id}\``,
        row.threshold(robot),
        String(row.debounce),
        row.action,
        recoveryOf(row) > 1 ? `${row.clears}, after ${recoveryOf(row)} frames` : row.clears,
        row.says,
        row.remedy,
        row.source,
        '',
      ]
        .map(cell)
        .join(' | ')
        .trim(),
    ),
    '',
  ].join('\n');
}
