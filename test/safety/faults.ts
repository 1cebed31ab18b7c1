import type { z } from 'zod';
import type { Config } from '../../src/messages/config.ts';
import type { TaskName } from '../../src/robot/tasks/task.ts';
import type { ConditionId } from '../../src/safety/failsafe-table.ts';
import { SENSOR_FAULTS, SENSORS } from '../../src/simulation/faults/sensor-fault.ts';
import type { simRequestSchema } from '../../src/simulation/sim-requests.ts';

/** What goes wrong with control's process and with what it leans on. Times are MCU time [s]. */
export type HostTrouble =
  /** the event loop stands still, asleep or collecting garbage, so many times with a pause in between */
  | {
      readonly kind: 'stall';
      readonly seconds: number;
      readonly work: 'sleep' | 'garbage';
      readonly times?: number;
      readonly pause?: number;
    }
  /** SIGSTOP, then SIGCONT */
  | { readonly kind: 'freeze'; readonly seconds: number }
  /** SIGKILL */
  | { readonly kind: 'kill' }
  /** SIGTERM */
  | { readonly kind: 'terminate' }
  /** the wall clock steps [ms] */
  | { readonly kind: 'clock-step'; readonly milliseconds: number }
  | { readonly kind: 'broker-dies' }
  /** somebody stops it */
  | { readonly kind: 'estop'; readonly disk: 'well' | 'dead' }
  /** who recorded the rows reads no more of them */
  | { readonly kind: 'rows-unread' }
  /** the heartbeats of whoever watched end */
  | { readonly kind: 'operator-silent' }
  /** the cable is out for a while */
  | { readonly kind: 'unplug'; readonly seconds: number };

/** What the failsafe table promises for a fault in a task. */
export type Promised =
  /** it goes on, does not fall, and no condition but warnings need be active */
  | { readonly survives: true; readonly mayShow?: readonly ConditionId[] }
  /** at least one of these conditions is named, and the highest action among those that were active decides how it ends */
  | { readonly by: readonly ConditionId[] };

type SimulatorRequest = z.input<typeof simRequestSchema>;

export interface Fault {
  /** a word for tests and for the command line */
  readonly id: string;
  /** for people */
  readonly says: string;
  /** what the simulator is told */
  readonly simulator?: readonly SimulatorRequest[];
  readonly host?: HostTrouble;
  /** further keys of the configuration that it needs */
  readonly config?: Partial<Config>;
  /** a broker must run */
  readonly broker?: true;
  readonly promised: Readonly<Record<TaskName, Promised>>;
}

const SURVIVES: Promised = { survives: true };

const both = (promised: Promised) => ({ 'standing-still': promised, 'moving-straight': promised });

const sensorFaults: Fault[] = [...SENSORS, 'imu' as const, 'all' as const].flatMap((sensor) =>
  SENSOR_FAULTS.map((fault) => ({
    id: `${sensor}-${fault}`,
    says: `${sensor} ${fault}`,
    simulator: [{ verb: 'sensor' as const, sensor, fault }],
    promised: both(SURVIVES),
  })),
);

const simulated = (id: string, says: string, ...simulator: SimulatorRequest[]): Fault => ({
  id,
  says,
  simulator,
  promised: both(SURVIVES),
});

const lineFaults: Fault[] = [
  simulated('line-one-frame-dropped', 'one sensor frame lost', {
    verb: 'link',
    fault: 'drop',
    direction: 'to-host',
    frames: 1,
  }),
  simulated('line-one-command-dropped', 'one command lost', {
    verb: 'link',
    fault: 'drop',
    direction: 'to-mcu',
    frames: 1,
  }),
  simulated('line-10-percent-dropped', '10 % of all frames lost', { verb: 'link', fault: 'drop', rate: 0.1 }),
  simulated('line-50-percent-dropped', 'half of all frames lost', { verb: 'link', fault: 'drop', rate: 0.5 }),
  simulated('line-to-host-cut', 'nothing reaches the host', { verb: 'link', fault: 'drop', direction: 'to-host' }),
  simulated('line-to-mcu-cut', 'nothing reaches the motor controller', {
    verb: 'link',
    fault: 'drop',
    direction: 'to-mcu',
  }),
  simulated('line-cut-30-ms', 'nothing passes for 30 ms', { verb: 'link', fault: 'drop', seconds: 0.03 }),
  simulated('line-flips-sparse', 'one bit in 10,000 wrong', { verb: 'link', fault: 'flip', rate: 1e-4 }),
  simulated('line-flips-dense', 'one bit in 1,000 wrong', { verb: 'link', fault: 'flip', rate: 1e-3 }),
  simulated('line-duplicates', 'every frame twice', { verb: 'link', fault: 'duplicate' }),
  simulated('line-reorders-10-percent', '10 % of all frames change places', {
    verb: 'link',
    fault: 'reorder',
    rate: 0.1,
  }),
  simulated('line-reorders', 'every second frame changes places', { verb: 'link', fault: 'reorder' }),
  simulated('line-late-10-ms', 'every frame 10 ms late each way', { verb: 'link', fault: 'delay', amount: 10 }),
  simulated('line-late-30-ms', 'every sensor frame 30 ms late', {
    verb: 'link',
    fault: 'delay',
    amount: 30,
    direction: 'to-host',
  }),
  simulated('line-late-60-ms', 'every sensor frame 60 ms late', {
    verb: 'link',
    fault: 'delay',
    amount: 60,
    direction: 'to-host',
  }),
];

const bodyFaults: Fault[] = [
  simulated('motor-left-dead', 'left wheel drive dead', { verb: 'motor', side: 'left', fault: 'dead' }),
  simulated('motor-right-dead', 'right wheel drive dead', { verb: 'motor', side: 'right', fault: 'dead' }),
  simulated('motors-dead', 'both wheel drives dead', { verb: 'motor', side: 'both', fault: 'dead' }),
  simulated('motor-left-stuck', 'left wheel seized', { verb: 'motor', side: 'left', fault: 'stuck' }),
  simulated('motors-stuck', 'both wheels seized', { verb: 'motor', side: 'both', fault: 'stuck' }),
  simulated('motor-left-frozen', 'left drive keeps its torque', { verb: 'motor', side: 'left', fault: 'frozen' }),
  simulated('motors-frozen', 'both drives keep their torque', { verb: 'motor', side: 'both', fault: 'frozen' }),
  simulated('motors-reversed', 'both drives reversed', { verb: 'motor', side: 'both', fault: 'reversed' }),
  simulated('brown-out', 'supply at 9 V, then a reset of the motor controller', { verb: 'brown-out' }),
  simulated('supply-sags', 'supply at 15 V for 2 s', { verb: 'brown-out', volts: 15, sag: 2, off: 0 }),
  simulated('mcu-reset', 'the motor controller starts anew', { verb: 'reboot' }),
  simulated('mcu-fault', 'a wheel drive reports an error', { verb: 'fault', bits: 2 }),
  simulated('push-small', 'pushed by 20 N for 0.1 s', { verb: 'push', newtons: 20, seconds: 0.1 }),
  simulated('push-hard', 'pushed by 150 N for 0.2 s', { verb: 'push', newtons: 150, seconds: 0.2 }),
  simulated('push-back-hard', 'pushed back by 150 N for 0.2 s', { verb: 'push', newtons: -150, seconds: 0.2 }),
  simulated('slip-wet', 'grip down to 30 %', { verb: 'slip', friction: 0.3 }),
  simulated('slip-ice', 'grip down to 2 %', { verb: 'slip', friction: 0.02 }),
  simulated('payload-small', '1 kg put on', { verb: 'payload', kilograms: 1 }),
  simulated('payload-off-centre', '3 kg put on 10 cm ahead', { verb: 'payload', kilograms: 3, forward: 0.1 }),
  simulated('line-noise', '2,000 random bytes in between', { verb: 'garbage', bytes: 2000 }),
];

const processFaults: Fault[] = [
  {
    id: 'stall-15-ms',
    says: 'event loop stands still for 15 ms',
    host: { kind: 'stall', seconds: 0.015, work: 'sleep' },
    promised: both(SURVIVES),
  },
  {
    id: 'stall-200-ms',
    says: 'event loop stands still for 200 ms',
    host: { kind: 'stall', seconds: 0.2, work: 'sleep' },
    promised: both(SURVIVES),
  },
  {
    id: 'gc-storm',
    says: 'ten collections of garbage of 20 ms',
    host: { kind: 'stall', seconds: 0.02, work: 'garbage', times: 10, pause: 0.08 },
    promised: both(SURVIVES),
  },
  {
    id: 'gc-storm-hard',
    says: 'ten collections of garbage of 40 ms',
    host: { kind: 'stall', seconds: 0.04, work: 'garbage', times: 10, pause: 0.06 },
    promised: both(SURVIVES),
  },
  {
    id: 'sigstop',
    says: 'control stopped by SIGSTOP for 300 ms',
    host: { kind: 'freeze', seconds: 0.3 },
    promised: both(SURVIVES),
  },
  { id: 'sigkill', says: 'control killed', host: { kind: 'kill' }, promised: both(SURVIVES) },
  { id: 'sigterm', says: 'control told to end', host: { kind: 'terminate' }, promised: both(SURVIVES) },
  {
    id: 'clock-forward',
    says: 'wall clock steps an hour on',
    host: { kind: 'clock-step', milliseconds: 3_600_000 },
    promised: both(SURVIVES),
  },
  {
    id: 'clock-back',
    says: 'wall clock steps a year back',
    host: { kind: 'clock-step', milliseconds: -31_536_000_000 },
    promised: both(SURVIVES),
  },
  { id: 'broker-dies', says: 'the broker dies', host: { kind: 'broker-dies' }, broker: true, promised: both(SURVIVES) },
  { id: 'estop', says: 'somebody stops it', host: { kind: 'estop', disk: 'well' }, promised: both(SURVIVES) },
  {
    id: 'estop-disk-dead',
    says: 'somebody stops it while the disk is dead',
    host: { kind: 'estop', disk: 'dead' },
    promised: both(SURVIVES),
  },
  { id: 'rows-unread', says: 'whoever records reads no more', host: { kind: 'rows-unread' }, promised: both(SURVIVES) },
  {
    id: 'operator-silent',
    says: "the operator's heartbeats end",
    host: { kind: 'operator-silent' },
    config: { operatorHeartbeat: 1000 },
    promised: both(SURVIVES),
  },
  { id: 'unplugged', says: 'cable out for 0.5 s', host: { kind: 'unplug', seconds: 0.5 }, promised: both(SURVIVES) },
];

/** By what they are done to. */
export const FAULT_GROUPS: Readonly<Record<string, readonly Fault[]>> = {
  Sensors: sensorFaults,
  Line: lineFaults,
  'Body and supply': bodyFaults,
  'Host and what it leans on': processFaults,
};

/** Every fault that robot and host are put to. */
export const FAULTS: readonly Fault[] = Object.values(FAULT_GROUPS).flat();
