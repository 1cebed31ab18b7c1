import type { Condition } from '../condition.ts';

/** A step that no clock makes by being slewed [s]. */
const CLOCK_STEP = 0.5;

/** What is around control: broker, recorder, the host's clock. None of it is trusted, and none may do more than warn. */
export const SURROUNDING_CONDITIONS = [
  {
    id: 'broker-lost',
    says: 'the MQTT broker cannot be reached: nobody can stop the robot or see it over the network',
    remedy: 'see `estopClient` in the log and the broker; stop it on the robot itself or by `kill -USR2`',
    action: 'warn',
    clears: 'itself',
    debounce: 200,
    threshold: () => 'not connected for 200 frames, where a broker is configured',
    source: 'by design: the loss of the broker alone never stops a standing robot',
    holds: (facts) => facts.brokerLost,
  },
  {
    id: 'recorder-behind',
    says: 'rows are not recorded as fast as they are made, or not at all; some may be lost',
    remedy: 'see the gateway and the disk of the state directory',
    action: 'warn',
    clears: 'itself',
    debounce: 1,
    threshold: () => "the gateway says so, or rows were pushed out of control's memory within 10 s",
    source: 'by design: the recorder is never waited for; the gateway is not trusted, so this can only warn',
    holds: (facts) => facts.recorderBehind,
  },
  {
    id: 'disk-full',
    says: 'the disk is full: nothing is recorded',
    remedy: 'make room in the state directory',
    action: 'warn',
    clears: 'itself',
    debounce: 1,
    threshold: () => 'the gateway says so',
    source: 'by design: a full disk costs recordings, never control; the gateway is not trusted, so this can only warn',
    holds: (facts) => facts.diskFull,
  },
  {
    id: 'clock-step',
    says: "the host's wall clock has jumped: times in rows before and after do not compare",
    remedy: 'let the time service slew the clock, not step it, while the robot runs',
    action: 'warn',
    clears: 'itself',
    debounce: 1,
    threshold: () => `${CLOCK_STEP} s against the monotonic clock, within the latest 10 s`,
    // Watchdogs and commands live by the motor controller's clock and the monotonic one.
    source: 'assumed: a time service that slews never does this',
    holds: (facts) => facts.clockStep > CLOCK_STEP,
  },
] as const satisfies readonly Condition[];
