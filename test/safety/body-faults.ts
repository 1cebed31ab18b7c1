import { by, type Fault, GOES_ON, goesOnOr, inBoth, type Promised, type SimulatorRequest } from './fault.ts';

const FALLS = ['fall-predicted', 'tilt', 'wheel-overspeed'] as const;

const body = (
  id: string,
  says: string,
  promised: Promised | Fault['promised'],
  ...simulator: SimulatorRequest[]
): Fault => ({
  id,
  says,
  simulator,
  promised: 'standing-still' in promised ? promised : inBoth(promised),
});

/** Drives, supply, motor controller, ground, and whoever meets the robot. */
export const bodyFaults: readonly Fault[] = [
  // One wheel balances both, as long as nobody asks for more: it is told, and holds.
  body('motor-left-dead', 'left wheel drive dead', by('drive-weak'), {
    verb: 'motor',
    side: 'left',
    fault: 'dead',
  }),
  body('motor-right-dead', 'right wheel drive dead', by('drive-weak'), {
    verb: 'motor',
    side: 'right',
    fault: 'dead',
  }),
  body('motors-dead', 'both wheel drives dead', by(...FALLS), { verb: 'motor', side: 'both', fault: 'dead' }),
  body('motor-left-stuck', 'left wheel seized', goesOnOr(...FALLS), { verb: 'motor', side: 'left', fault: 'stuck' }),
  body('motors-stuck', 'both wheels seized', by(...FALLS), { verb: 'motor', side: 'both', fault: 'stuck' }),
  body('motor-left-frozen', 'left drive keeps its torque', goesOnOr('drive-weak', 'torque-tracking', ...FALLS), {
    verb: 'motor',
    side: 'left',
    fault: 'frozen',
  }),
  body('motors-frozen', 'both drives keep their torque', by('torque-tracking', ...FALLS), {
    verb: 'motor',
    side: 'both',
    fault: 'frozen',
  }),
  body('motors-reversed', 'both drives reversed', by('torque-tracking', ...FALLS), {
    verb: 'motor',
    side: 'both',
    fault: 'reversed',
  }),
  body('brown-out', 'supply at 9 V, then the motor controller resets', by('battery-collapse'), { verb: 'brown-out' }),
  body('supply-sags', 'supply at 16 V for 2 s', by('battery-empty'), { verb: 'brown-out', volts: 16, sag: 2, off: 0 }),
  body('mcu-reset', 'the motor controller starts anew', by('mcu-restarted'), { verb: 'reboot' }),
  body('mcu-fault', 'a wheel drive reports an error', by('mcu-fault'), { verb: 'fault', bits: 2 }),
  body('push', 'pushed by 20 N for 0.1 s', GOES_ON, { verb: 'push', newtons: 20, seconds: 0.1 }),
  body('push-hard', 'pushed by 150 N for 0.2 s', by(...FALLS), { verb: 'push', newtons: 150, seconds: 0.2 }),
  body('push-back-hard', 'pushed back by 150 N for 0.2 s', by(...FALLS), { verb: 'push', newtons: -150, seconds: 0.2 }),
  body('slip', 'grip down to a third', GOES_ON, { verb: 'slip', friction: 0.3 }),
  body(
    'slip-and-push',
    'on ice, and pushed by 40 N for 0.1 s',
    goesOnOr('wheel-slip', 'lift-off', ...FALLS),
    { verb: 'slip', friction: 0.02 },
    { verb: 'push', newtons: 40, seconds: 0.1 },
  ),
  body('payload', '1 kg put on', GOES_ON, { verb: 'payload', kilograms: 1 }),
  body('payload-ahead', '3 kg put on, 10 cm ahead', GOES_ON, { verb: 'payload', kilograms: 3, forward: 0.1 }),
];
