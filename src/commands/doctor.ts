import type { Command } from 'commander';
import { EdgeError } from '../errors.ts';
import type { Config } from '../messages/config.ts';
import type { Status } from '../messages/status.ts';
import { loadRobot } from '../robot/robot.ts';
import { delayBudget, delayLimits, type Verdict } from '../safety/delay-budget.ts';
import { connectToControl, findConfig, withConfig } from './context.ts';
import { say, sayJson } from './output.ts';

/** One thing that was looked at. */
interface Finding {
  readonly id: string;
  readonly verdict: Verdict;
  readonly found: string;
  /** empty if there is nothing to mend */
  readonly remedy: string;
}

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
  const measured = await delayOfRunning(config);
  const delay = measured ?? delayOfFile(config);
  const findings: Finding[] = [...delay.findings, enforcement(delay)];
  const ok = findings.every(({ verdict }) => verdict !== 'fail');
  const diagnosis: Diagnosis = { ok, running: measured !== undefined, delay, findings };
  if (options.json) sayJson(diagnosis);
  else for (const line of describe(diagnosis)) say(line);
  if (!ok) process.exitCode = 1;
}

/** What the control that runs with this configuration measures; undefined when none does. */
async function delayOfRunning(config: Config): Promise<Delay | undefined> {
  try {
    const client = await connectToControl(config);
    try {
      return (await client.status()).delay ?? undefined;
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
