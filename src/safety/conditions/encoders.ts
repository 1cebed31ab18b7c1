import type { Condition } from '../condition.ts';

/** A velocity that is wrong by 1 rad/s, 6 cm/s on the ground, comes to this in its half second [rad]. */
const ENCODER_ERROR = 0.5;

/** The wheels' encoders, on which both odometry and balance rest. */
export const ENCODER_CONDITIONS = [
  {
    id: 'wheel-encoder',
    says: 'position and velocity of a wheel do not tell the same story: one of the two is wrong',
    remedy: 'look at the encoder of the wheel and its wiring; disarm and arm again',
    action: 'brake',
    clears: 'disarm',
    debounce: 3,
    threshold: () => `${ENCODER_ERROR} rad between the two ways, remembered for half a second, for 3 frames`,
    source:
      'assumed: three times what the published log of the real robot reaches; a velocity filter of 20 ms stays below half',
    holds: (facts) => !(facts.encoderError <= ENCODER_ERROR),
  },
] as const satisfies readonly Condition[];
