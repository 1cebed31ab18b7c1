import type { Command } from 'commander';
import { EdgeError } from '../errors.ts';
import type { Config } from '../messages/config.ts';
import type { Status } from '../messages/status.ts';
import { loadRobot } from '../robot/robot.ts';
import { delayBudget, delayLimits } from '../safety/delay-budget.ts';
import { connectToControl, findConfig, revision, withConfig } from './context.ts';
import { brokerFindings, diskFindings, trustFindings } from './doctor/around.ts';
import type { Finding } from './doctor/finding.ts';
import {
  clockFinding,
  governorFinding,
  isolationFinding,
  KERNEL,
  privilegeFinding,
  versionFinding,
} from './doctor/host.ts';
import { portFindings } from './doctor/port.ts';
import { runningFindings } from './doctor/running.ts';
import { say, sayJson } from './output.ts';

type Delay = NonNullable<Status['delay']>;

/** What `doctor` says of a robot. */
export interface Diagnosis {
  readonly ok: boolean;
  /** control answered; otherwise this is what the robot file alone says */
  readonly running: boolean;
  readonly delay: Delay;
  readonly findings: readonly Finding[];
}

export function registerDoctor(program: Command): void {
  withConfig(program.command('doctor'))
    .description('say whether this robot, this host and this configuration fit together, and what to mend')
    .option('--json', 'print one JSON object as the last line')
    .action(doctor);
}

async function doctor(options: { config?: string; json?: boolean }): Promise<void> {
  const config = findConfig(options);
  const robot = loadRobot(config.robot);
  const status = await statusOfRunning(config);
  const delay = status?.delay ?? delayOfFile(config);
  const findings: Finding[] = [
    versionFinding(process.versions.node, revision),
    ...portFindings(config.serial.path, status?.pid, KERNEL),
    ...(status ? runningFindings(status, revision, 1000 / delay.rate) : []),
    ...delay.findings,
    enforcement(delay),
    privilegeFinding(config.realTimePriority),
    governorFinding(KERNEL),
    isolationFinding(KERNEL),
    clockFinding(Date.now()),
    ...(await diskFindings(config)),
    ...(await brokerFindings(config)),
    ...(await trustFindings(config, robot)),
  ];
  const ok = findings.every(({ verdict }) => verdict !== 'fail');
  const diagnosis: Diagnosis = { ok, running: status !== undefined, delay, findings };
  if (options.json) sayJson(diagnosis);
  else for (const line of describe(diagnosis)) say(line);
  if (!ok) process.exitCode = 1;
}

/** What the control that runs with this configuration says; undefined when none does. */
async function statusOfRunning(config: Config): Promise<Status | undefined> {
  try {
    const client = await connectToControl(config);
    try {
      return await client.status();
    } finally {
      client.close();
    }
  } catch (error) {
    if (error instanceof EdgeError && error.codeName === 'notRunning') return undefined;
    throw error;
  }
}

function delayOfFile(config: Config): Delay {
  const robot = loadRobot(config.robot);
  const limits = delayLimits(robot);
  const { measured: _, ...budget } = delayBudget({ limits, robot, baudRate: config.serial.baudRate });
  return {
    ...budget,
    shares: [...budget.shares],
    findings: [...budget.findings],
    samples: 0,
    p999: 0,
    enforced: config.delayCheck === 'refuse',
  };
}

const enforcement = ({ enforced }: Delay): Finding => ({
  id: 'delay-check',
  verdict: enforced ? 'pass' : 'warn',
  found: enforced ? 'a budget that does not fit refuses arming' : 'a budget that does not fit is only told',
  remedy: enforced
    ? ''
    : 'set delayCheck: refuse in the configuration, unless the robot is a simulator whose time waits',
});

/** The diagnosis in words, a line a thought; what is wrong is followed by what mends it. */
function describe({ running, delay, findings }: Diagnosis): string[] {
  return [
    running ? 'control runs; latency is as it measured it' : 'control does not run: this is what the robot file says',
    `the robot falls with an unstable pole of ${delay.unstablePole.toFixed(1)} rad/s; its loop at ${delay.rate} Hz tolerates ${delay.tolerable.toFixed(1)} ms`,
    ...delay.shares.map(({ id, ms, source }) => `  ${id.padEnd(16)} ${ms.toFixed(2).padStart(7)} ms  ${source}`),
    `  ${'in all'.padEnd(16)} ${delay.spent.toFixed(2).padStart(7)} ms`,
    ...findings.flatMap(({ id, verdict, found, remedy }) => [
      `${verdict.padEnd(4)}  ${id}: ${found}`,
      ...(remedy === '' ? [] : [`      → ${remedy}`]),
    ]),
  ];
}
