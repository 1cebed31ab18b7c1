import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ArmedMode } from '../../src/messages/mode.ts';
import type { RobotState } from '../../src/messages/states.ts';
import { until } from '../until.ts';
import type { Fault, HostTrouble } from './fault.ts';
import type { Scenario } from './scenario.ts';
import { tellTrouble } from './trouble.ts';

/** [s] of MCU time by itself before the fault. */
const SETTLE = 2.5;
/** [s] of MCU time after it at most, and at least. */
const WATCH = 6;
const LEAST = 2;
/** [m/s] at which a robot that is not driven counts as at rest */
const AT_REST = 0.02;

/** What happened. Times are MCU time, speeds and angles by ground truth. */
export interface Outcome {
  /** control's own state; `gone` if there is no control any more */
  readonly robotState: RobotState | 'gone';
  readonly mcuState: string;
  /** ids of all conditions that were active after the fault began, sorted */
  readonly conditions: readonly string[];
  /** from the fault to the last instant at which the MCU obeyed torques of a host; undefined: it still does [s] */
  readonly safeAfter: number | undefined;
  /** from the fault to the last instant at which a drive was commanded any torque; undefined: it still is [s] */
  readonly torqueOffAfter: number | undefined;
  /** [rad] */
  readonly maxTilt: number;
  /** commanded to a drive after the fault by whomever, the MCU's own brake included [N·m] */
  readonly maxWheelTorque: number;
  readonly falls: number;
  /** largest distance from where it was [m] */
  readonly maxAbsX: number;
  /** at the end [m/s] */
  readonly speed: number;
  /** commands that were looked at, and what was wrong with them */
  readonly commands: number;
  readonly violations: readonly string[];
}

/** Arms the robot, lets it be for a while, breaks something, and watches until it is at rest. */
export async function runFault(scenario: Scenario, fault: Fault, mode: ArmedMode, seed: number): Promise<Outcome> {
  const { judge } = scenario;
  const before = judge.violations.length;
  const commandsBefore = judge.commands;
  const session = fault.host?.kind === 'operator-silent' ? 'scenario' : undefined;
  await scenario.arm({ mode, seed, ...(session !== undefined && { session }) });
  await scenario.advance(SETTLE);
  const healthy = await scenario.truth();
  if (healthy.state !== 'active' || healthy.hand || healthy.falls > 0) {
    throw new Error(`no robot to break: ${JSON.stringify(healthy)}`);
  }
  await scenario.mark();
  for (const { verb, ...parameters } of fault.simulator ?? []) await scenario.simulator.request(verb, parameters);
  if (fault.host) await hostTrouble(scenario, fault.host);
  const spent = (await scenario.measure()).seconds;
  let truth = await scenario.truth();
  for (let watched = spent; watched < WATCH; watched += 0.5) {
    await scenario.advance(0.5);
    truth = await scenario.truth();
    const off = truth.state !== 'active' && truth.state !== 'braking';
    if (watched + 0.5 >= LEAST && off && Math.abs(truth.speed) < AT_REST) break;
  }
  const measurement = await scenario.measure();
  const status = await scenario.status();
  const driven = truth.state === 'active';
  return {
    robotState: status?.state ?? 'gone',
    mcuState: truth.state,
    conditions: [...scenario.conditions].sort(),
    safeAfter: driven ? undefined : measurement.lastActive,
    torqueOffAfter: driven || truth.state === 'braking' ? undefined : measurement.lastTorque,
    maxTilt: measurement.maxTilt,
    maxWheelTorque: measurement.maxWheelTorque,
    falls: measurement.falls,
    maxAbsX: measurement.maxAbsX,
    speed: truth.speed,
    commands: judge.commands - commandsBefore,
    violations: judge.violations.slice(before),
  };
}

async function hostTrouble(scenario: Scenario, trouble: HostTrouble): Promise<void> {
  switch (trouble.kind) {
    case 'stall':
      for (let time = 0; time < (trouble.times ?? 1); time++) {
        const release = join(scenario.folder.path, `release-${performance.now()}`);
        await tellTrouble(scenario.folder, { block: release, work: trouble.work });
        await until('the event loop stands still', () => existsSync(`${release}.blocked`));
        await scenario.advance(trouble.seconds, 0);
        writeFileSync(release, '');
        // awake again, and in step
        await scenario.status();
        await scenario.advance(trouble.pause ?? 0.1);
      }
      break;
    case 'freeze':
      scenario.signal('SIGSTOP');
      await until('it is stopped', () => isStopped(scenario.pid));
      await scenario.advance(trouble.seconds, 0);
      scenario.signal('SIGCONT');
      break;
    case 'kill':
      scenario.signal('SIGKILL');
      await scenario.gone();
      break;
    case 'terminate':
      scenario.signal('SIGTERM');
      // it cannot be asked whether the signal has reached it; with the next frame it brakes
      await delay(50);
      await scenario.advance(0.1, 500);
      await scenario.gone();
      break;
    case 'clock-step':
      await tellTrouble(scenario.folder, { clock: trouble.milliseconds });
      break;
    case 'broker-dies':
      await scenario.broker?.kill();
      break;
    case 'estop':
      if (trouble.disk === 'dead') {
        const { stateDirectory } = scenario.folder;
        renameSync(stateDirectory, `${stateDirectory}.away`);
        writeFileSync(stateDirectory, 'no folder');
      }
      await scenario.control.estop('scenario');
      break;
    case 'rows-unread':
      // the one connection that may have rows asks for them and reads nothing
      scenario.recording = false;
      break;
    case 'operator-silent':
      scenario.beating = false;
      break;
    case 'unplug':
      await scenario.simulator.request('unplug');
      await until('control has noticed', async () => {
        const status = await scenario.status();
        return status?.link.open === false;
      });
      await scenario.advance(trouble.seconds, 0);
      await scenario.simulator.request('replug');
      // by the host's clock; the motor controller's stands still meanwhile
      await until('control is back', async () => (await scenario.status())?.mcu.session === 'accepted');
      break;
  }
}

/** By /proc: stopped by a signal. */
function isStopped(pid: number): boolean {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T');
}
