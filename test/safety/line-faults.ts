import { by, type Fault, GOES_ON, goesOnOr, inBoth, MCU_ALONE, type Promised, type SimulatorRequest } from './fault.ts';

type Link = Omit<Extract<SimulatorRequest, { verb: 'link' }>, 'verb'>;

const line = (id: string, says: string, link: Link, promised: Promised): Fault => ({
  id: `line-${id}`,
  says,
  simulator: [{ verb: 'link', ...link }],
  promised: inBoth(promised),
});

/** The wire between motor controller and host. */
export const lineFaults: readonly Fault[] = [
  line('one-frame-dropped', 'one sensor frame lost', { fault: 'drop', direction: 'to-host', frames: 1 }, GOES_ON),
  line('one-command-dropped', 'one command lost', { fault: 'drop', direction: 'to-mcu', frames: 1 }, GOES_ON),
  line('10-percent-dropped', '10 % of all frames lost', { fault: 'drop', rate: 0.1 }, GOES_ON),
  line('50-percent-dropped', 'half of all frames lost', { fault: 'drop', rate: 0.5 }, by('sensor-gap', 'mcu-watchdog')),
  line('cut-30-ms', 'nothing passes for 30 ms', { fault: 'drop', seconds: 0.03 }, by('sensor-gap')),
  line('to-host-cut', 'nothing reaches the host any more', { fault: 'drop', direction: 'to-host' }, MCU_ALONE),
  line(
    'to-mcu-cut',
    'nothing reaches the motor controller any more',
    { fault: 'drop', direction: 'to-mcu' },
    MCU_ALONE,
  ),
  line('flips-sparse', 'one bit in 10,000 wrong', { fault: 'flip', rate: 1e-4 }, GOES_ON),
  line('flips-dense', 'one bit in 1,000 wrong', { fault: 'flip', rate: 1e-3 }, by('sensor-gap', 'mcu-watchdog')),
  line('duplicates', 'every frame twice', { fault: 'duplicate' }, GOES_ON),
  line('reorders-some', 'one frame in ten changes places', { fault: 'reorder', rate: 0.1 }, GOES_ON),
  line('reorders-all', 'every second frame changes places', { fault: 'reorder' }, GOES_ON),
  line(
    'late-5-ms',
    'every frame 5 ms late each way',
    { fault: 'delay', amount: 5 },
    goesOnOr('fall-predicted', 'tilt'),
  ),
  // beyond the delay budget: it rings, and falls sooner or later
  line(
    'late-10-ms',
    'every frame 10 ms late each way',
    { fault: 'delay', amount: 10 },
    goesOnOr('fall-predicted', 'tilt'),
  ),
  line(
    'late-30-ms',
    'every sensor frame 30 ms late',
    { fault: 'delay', amount: 30, direction: 'to-host' },
    by('mcu-watchdog'),
  ),
  {
    id: 'line-noise',
    says: '2,000 random bytes in between',
    simulator: [{ verb: 'garbage', bytes: 2000 }],
    promised: inBoth(GOES_ON),
  },
];
