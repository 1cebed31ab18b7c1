import type { Status } from '../../messages/status.ts';
import { type Finding, fail, pass, warn } from './finding.ts';

/** The sensor rate may be off by so much [%]; a crystal is off by far less. */
const RATE_TOLERANCE = 2;

/** What only a running control can say: of its scheduling, the motor controller and the stream of its frames. */
export function runningFindings(status: Status, revision: string, period: number): Finding[] {
  return [
    status.revision === revision
      ? pass('running-version', `control runs version ${revision}`)
      : warn(
          'running-version',
          `control runs version ${status.revision}, and ${revision} is installed`,
          'disarm the robot, then: sudo systemctl restart h2o-control',
        ),
    schedulingFinding(status),
    sessionFinding(status),
    ...streamFindings(status, period),
    status.estop.problem === ''
      ? pass('estop-latch', 'a stop would be on disk')
      : fail('estop-latch', `a stop could not be put on disk: ${status.estop.problem}`, 'mend the state directory'),
  ];
}

function schedulingFinding({ scheduling: { policy, priority } }: Status): Finding {
  const found = `control runs under ${policy}${priority > 0 ? ` ${priority}` : ''}`;
  return policy === 'SCHED_FIFO'
    ? pass('scheduling', found)
    : warn('scheduling', found, 'start it with h2o-control.service, or `h2o-edge run` as a user who may');
}

function sessionFinding({ link, mcu }: Status): Finding {
  if (!link.open) return fail('mcu-session', `the port is not open: ${link.lastProblem}`, 'see serial-device');
  if (mcu.session === 'accepted') return pass('mcu-session', `the schema matches: ${mcu.peer}`);
  return fail(
    'mcu-session',
    `the motor controller does not obey this host: ${mcu.session}${mcu.peer === '' ? '' : `, ${mcu.peer}`}`,
    'check supply, cable and baud rate; after an update of either side flash the firmware of this release',
  );
}

function streamFindings({ mcu, counters }: Status, period: number): Finding[] {
  const { sensorRate, measuredRate, clock } = mcu;
  if (sensorRate === null || measuredRate === null || mcu.session !== 'accepted') return [];
  const off = (100 * Math.abs(measuredRate - sensorRate)) / sensorRate;
  const lost = counters['frames.lost'] ?? 0;
  const jitter = (counters.arrivalJitterUs ?? 0) / 1000;
  const rate = `${measuredRate.toFixed(1)} Hz measured, ${sensorRate} Hz announced, ${lost} frames lost since the start`;
  return [
    off <= RATE_TOLERANCE
      ? pass('sensor-rate', rate)
      : fail('sensor-rate', rate, "look at the firmware's timer; other rates than the policy's are refused"),
    jitter <= period / 2
      ? pass('sensor-jitter', `frames come within ${jitter.toFixed(2)} ms of their time (p99.9)`)
      : warn(
          'sensor-jitter',
          `frames come up to ${jitter.toFixed(2)} ms off (p99.9)`,
          'see latency-timer and scheduling',
        ),
    // PROTOCOL.md §10: the offset lies within half of what the way there and back takes at best.
    clock
      ? pass(
          'mcu-round-trip',
          `${((2 * clock.uncertainty) / 1000).toFixed(2)} ms to the motor controller and back, at best`,
        )
      : warn('mcu-round-trip', 'no command has been confirmed yet', 'arm the robot once, then ask again'),
  ];
}
