import type { Command } from 'commander';
import { describeMode } from '../messages/mode.ts';
import type { Status } from '../messages/status.ts';
import { say, sayJson } from './output.ts';
import { connectToRobot, type RobotOptions, withRobot } from './robot-client.ts';

export function registerStatus(program: Command): void {
  withRobot(program.command('status'))
    .description('what the robot does, and why it does not do what was asked')
    .option('--json', 'print one JSON object as the last line')
    .action(async (options: RobotOptions & { json?: boolean }) => {
      const client = await connectToRobot(options);
      try {
        const status = await client.status();
        if (options.json) sayJson(status);
        else for (const line of describeStatus(status)) say(line);
      } finally {
        client.close();
      }
    });
}

const degrees = (radians: number) => ((radians * 180) / Math.PI).toFixed(1);

const delayLine = ({ spent, tolerable, enforced }: NonNullable<Status['delay']>): string =>
  `delay from sensor to torque ${spent.toFixed(1)} ms of ${tolerable.toFixed(1)} ms tolerable${enforced ? '' : ', not enforced'}; see h2o-edge doctor`;

/** The status in words, a line a thought. */
export function describeStatus(status: Status): string[] {
  const { estimate, latencyUs, mcu, scheduling } = status;
  const lines = [
    `${status.name} (${status.robot}): ${status.state}, asked for: ${describeMode(status.mode)}`,
    ...status.reasons.map((reason) => `  ${reason.action}: ${reason.says} [${reason.id}]\n    → ${reason.remedy}`),
  ];
  if (status.limits.length > 0) lines.push(`limits acting: ${status.limits.join(', ')}`);
  if (status.estop.latched)
    lines.push(`e-stop latched by ${status.estop.source}${status.estop.onDisk ? '' : ', NOT on disk'}`);
  if (estimate) {
    lines.push(
      `pitch ${degrees(estimate.pitch)}°  speed ${estimate.v.toFixed(3)} m/s  x ${estimate.x.toFixed(3)} m  torque ${estimate.torque.toFixed(2)} N·m  battery ${estimate.battery} V`,
    );
  }
  lines.push(
    `motor controller: ${mcu.session}, ${mcu.state}${mcu.faults.length > 0 ? `, faults: ${mcu.faults.join(', ')}` : ''}; ${mcu.peer}`,
    `port ${status.link.path}: ${status.link.open ? 'open' : `not open (${status.link.lastProblem})`}, ${mcu.measuredRate?.toFixed(1) ?? '?'} Hz`,
    `latency p50 ${latencyUs.p50} µs, p99 ${latencyUs.p99} µs, max ${latencyUs.max} µs over ${latencyUs.count} frames; ${scheduling.policy} ${scheduling.priority}`,
    ...(status.delay ? [delayLine(status.delay)] : []),
    `controllers: balancer${status.controllers.map((controller) => `, ${controller.id}`).join('')}`,
    ...Object.entries(status.refusedPolicies).map(([id, reason]) => `  refused ${id}: ${reason}`),
  );
  return lines;
}
