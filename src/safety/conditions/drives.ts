import type { Condition } from '../condition.ts';

/** The weakest twin that a shipped gap makes gives 0.65 of what it is told. */
const LEAST_GAIN = 0.4;

/** The wheels' drives: whether they give what they are told, however little that is. */
export const DRIVE_CONDITIONS = [
  {
    id: 'drive-weak',
    says: 'a wheel gives hardly any of the torque that it is told: its drive is dead, weak or wired the wrong way round; the robot holds',
    remedy: 'look at the wheel drives, their wiring and their current sensors',
    action: 'fallback',
    clears: 'new-mode',
    debounce: 40,
    threshold: () => `surely less than ${LEAST_GAIN} of it over one second, for 40 frames`,
    source: 'assumed: below every gap that ships; balancing on one wheel works until somebody pushes',
    holds: (facts) => !(facts.driveGain >= LEAST_GAIN),
  },
] as const satisfies readonly Condition[];
