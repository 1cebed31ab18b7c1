import type { Condition } from '../condition.ts';

/** What the people around the robot count on. */
export const OPERATOR_CONDITIONS = [
  {
    id: 'stop-input-lost',
    says: 'a joystick, button or pipe that is to stop the robot cannot be read; a moving robot holds',
    remedy: 'plug it in or mend it, see stopInputs in `h2o-edge status`, then give the mode again',
    action: 'fallback',
    // It must not drive off by itself when the stick is plugged in again.
    clears: 'new-mode',
    debounce: 1,
    threshold: () => 'any one of the configuration',
    source: 'configuration: stopInputs; who counts on a button must not press it in vain',
    holds: (facts) => facts.stopInputLost,
  },
] as const satisfies readonly Condition[];
