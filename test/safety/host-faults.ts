import { by, type Fault, GOES_ON, goesOnOr, type HostTrouble, inBoth, MCU_ALONE, type Promised } from './fault.ts';

const host = (
  id: string,
  says: string,
  trouble: HostTrouble,
  promised: Promised | Fault['promised'],
  more: Partial<Fault> = {},
): Fault => ({
  id,
  says,
  host: trouble,
  promised: 'standing-still' in promised ? promised : inBoth(promised),
  ...more,
});

/** control's process, and what it leans on. */
export const hostFaults: readonly Fault[] = [
  host('stall-15-ms', 'event loop stands still for 15 ms', { kind: 'stall', seconds: 0.015, work: 'sleep' }, GOES_ON),
  host('stall-40-ms', 'event loop stands still for 40 ms', { kind: 'stall', seconds: 0.04, work: 'sleep' }, GOES_ON),
  host(
    'stall-200-ms',
    'event loop stands still for 200 ms',
    { kind: 'stall', seconds: 0.2, work: 'sleep' },
    by('mcu-watchdog'),
  ),
  host(
    'gc-storm',
    'ten collections of garbage of 20 ms, 80 ms apart',
    { kind: 'stall', seconds: 0.02, work: 'garbage', times: 10, pause: 0.08 },
    GOES_ON,
  ),
  host(
    'gc-storm-hard',
    'ten collections of garbage of 40 ms, 60 ms apart',
    { kind: 'stall', seconds: 0.04, work: 'garbage', times: 10, pause: 0.06 },
    goesOnOr('fall-predicted', 'tilt'),
  ),
  host('sigstop', 'control stopped by SIGSTOP for 300 ms', { kind: 'freeze', seconds: 0.3 }, by('mcu-watchdog')),
  host('sigkill', 'control killed', { kind: 'kill' }, MCU_ALONE),
  host('sigterm', 'control told to end', { kind: 'terminate' }, MCU_ALONE),
  host(
    'clock-forward',
    'wall clock steps an hour on',
    { kind: 'clock-step', milliseconds: 3_600_000 },
    by('clock-step'),
  ),
  host(
    'clock-back',
    'wall clock steps a year back',
    { kind: 'clock-step', milliseconds: -31_536_000_000 },
    by('clock-step'),
  ),
  host('broker-dies', 'the broker dies', { kind: 'broker-dies' }, by('broker-lost'), { broker: true }),
  host('estop', 'somebody stops it', { kind: 'estop', disk: 'well' }, by('estop')),
  host('estop-disk-dead', 'somebody stops it while the disk is dead', { kind: 'estop', disk: 'dead' }, by('estop')),
  host('rows-unread', 'whoever records takes no more rows', { kind: 'rows-unread' }, GOES_ON),
  host(
    'operator-silent',
    "the operator's heartbeats end",
    { kind: 'operator-silent' },
    // who stands needs nobody who watches
    { 'standing-still': GOES_ON, 'moving-straight': by('heartbeat-lost') },
    { config: { operatorHeartbeat: 1000 } },
  ),
  host('unplugged', 'cable out for 1.5 s', { kind: 'unplug', seconds: 1.5 }, by('link-lost')),
];
