import type { TaskName } from '../../src/robot/tasks/task.ts';
import { taskNames } from '../../src/robot/tasks/tasks.ts';
import type { Fault } from './fault.ts';
import { FAULT_GROUPS } from './faults.ts';
import { brokenPromises, describePromise, ofTheFault } from './promise.ts';
import type { Case, Run } from './run-all.ts';

/** Who drives in the run of that seed: by turns the built-in balancer and the bundle that ships for the task. */
const controllerOf = (seed: number): Case['controller'] => (seed % 2 === 1 ? 'balancer' : 'policy');

/** All faults in all tasks, once, under this seed. */
export const roundOf = (faults: readonly Fault[], seed: number): Case[] =>
  faults.flatMap((fault) => taskNames.map((task) => ({ fault, task, controller: controllerOf(seed), seed })));

/** For a quick look, each fault once: by turns the standing robot under the balancer and the moving one under the policy. */
export const fewCasesOf = (faults: readonly Fault[]): Case[] =>
  faults.map((fault, index) => {
    const turn = index % taskNames.length;
    return { fault, task: taskNames[turn] as TaskName, controller: controllerOf(turn + 1), seed: turn + 1 };
  });

const HEADER = [
  ['fault', 'left'],
  ['promised', 'left'],
  ['ended', 'left'],
  ['named', 'left'],
  ['safe after [ms]', 'right'],
  ['torque off after [ms]', 'right'],
  ['tilt [°]', 'right'],
  ['torque [N·m]', 'right'],
] as const;

/** The report as a page. Runs in order; everything in it is MCU time and ground truth, so it repeats itself. */
export function reportOf(runs: readonly Run[]): string {
  const commands = runs.reduce((sum, { outcome }) => sum + outcome.commands, 0);
  const outside = runs.reduce((sum, { outcome }) => sum + outcome.violations.length, 0);
  const faults = new Set(runs.map(({ fault }) => fault.id)).size;
  const counts = taskNames.flatMap((task) =>
    [...new Set(runs.map(({ fault }) => fault))].map(
      (fault) => runs.filter((run) => run.fault === fault && run.task === task).length,
    ),
  );
  const each = Math.min(...counts);
  const broken = runs.filter((run) => brokenPromises(run.fault.promised[run.task], run.outcome).length > 0);
  return [
    '# Safety report',
    '',
    'Made by `npm run safety-report`: every fault that the simulated robot or its host can be given, while it stands and while',
    'it moves, against a real `control` process on a real pty. What is broken, what is promised and how a promise is judged are in',
    '`test/safety/`; which condition leads to which end is the [failsafe table](failsafe.md). A test runs the same faults once each.',
    '',
    `| faults | tasks | runs of each | commands looked at | outside the limits | promises broken |`,
    `| -----: | ----: | -----------: | -----------------: | -----------------: | --------------: |`,
    `| ${faults} | ${taskNames.length} | ${each} | ${commands} | ${outside} | ${broken.length} |`,
    '',
    'The seed is another one in each run, and the controller is by turns the built-in balancer and the bundle that ships for the task.',
    "Time is the motor controller's, from the fault on: median (worst) of the runs. Tilt and torque are the worst of all runs.",
    '',
    '- **safe after**: the motor controller obeyed torques of the host for the last time. A dash: it goes on, as it should.',
    '- **torque off after**: a drive was commanded any torque at a wheel for the last time, its own brake included.',
    '- **tilt**: by ground truth. A robot whose torque is off falls: beyond 30° it lies on the ground, or is about to.',
    "- **torque**: largest at a wheel after the fault, by whomever. The guard's limit is that of the robot file; the motor",
    "  controller's own brake may take its drives' peak.",
    '- **named**: conditions that were active after the fault, without those that only say how fast this machine is.',
    "- **ended**: control's state. `gone` is a control that has ended, whose robot the motor controller stops by itself.",
    '',
    ...Object.entries(FAULT_GROUPS).flatMap(([title, group]) => section(title, group, runs)),
    ...findings(broken),
  ].join('\n');
}

function section(title: string, faults: readonly Fault[], runs: readonly Run[]): string[] {
  const present = faults.filter((fault) => runs.some((run) => run.fault === fault));
  if (present.length === 0) return [];
  return taskNames.flatMap((task) => [
    `## ${title}, ${task}`,
    '',
    `| ${HEADER.map(([name]) => name).join(' | ')} |`,
    `| ${HEADER.map(([, side]) => (side === 'right' ? '--:' : '---')).join(' | ')} |`,
    ...present.map((fault) =>
      row(
        fault,
        task,
        runs.filter((run) => run.fault === fault && run.task === task),
      ),
    ),
    '',
  ]);
}

function row(fault: Fault, task: TaskName, runs: readonly Run[]): string {
  const outcomes = runs.map(({ outcome }) => outcome);
  const distinct = (values: readonly string[]) => [...new Set(values)].sort().join(' or ');
  const cells = [
    fault.says,
    describePromise(fault.promised[task]),
    distinct(outcomes.map(({ robotState }) => robotState)),
    [...new Set(outcomes.flatMap(({ conditions }) => ofTheFault(conditions)))].sort().join(', '),
    milliseconds(outcomes.map(({ safeAfter }) => safeAfter)),
    milliseconds(outcomes.map(({ torqueOffAfter }) => torqueOffAfter)),
    ((Math.max(...outcomes.map(({ maxTilt }) => maxTilt)) * 180) / Math.PI).toFixed(0),
    Math.max(...outcomes.map(({ maxWheelTorque }) => maxWheelTorque)).toFixed(2),
  ];
  return `| ${cells.join(' | ')} |`;
}

/** median (worst) of seconds, in whole milliseconds; a run in which it never came counts as the worst of all */
function milliseconds(seconds: ReadonlyArray<number | undefined>): string {
  const known = seconds.map((value) => (value === undefined ? Number.POSITIVE_INFINITY : Math.round(value * 1000)));
  const sorted = known.sort((a, b) => a - b);
  const middle = sorted[Math.floor((sorted.length - 1) / 2)];
  const say = (value: number | undefined) =>
    value === undefined || value === Number.POSITIVE_INFINITY ? '–' : String(value);
  const worst = sorted.at(-1);
  return worst === middle ? say(middle) : `${say(middle)} (${say(worst)})`;
}

function findings(broken: readonly Run[]): string[] {
  if (broken.length === 0) return [];
  return [
    '## Promises that were broken',
    '',
    ...broken.map((run) => {
      const what = brokenPromises(run.fault.promised[run.task], run.outcome).join('; ');
      return `- ${run.fault.says}, ${run.task}, ${run.controller}, seed ${run.seed}: ${what}`;
    }),
    '',
  ];
}
