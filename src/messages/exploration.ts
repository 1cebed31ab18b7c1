import { z } from 'zod';

const torque = (says: string) => z.number().min(0).max(20).describe(`${says} Total of both wheels [N·m].`);

/**
 * Noise and set points with which a controller is disturbed to collect data. It is part of a mode and so of what an operator
 * signs; control draws the numbers itself, one set for each decision, all from `seed` and `episode`. How much a robot
 * takes, it decides when it is armed: `safety/exploration-limits.ts`.
 */
export const explorationSchema = z.strictObject({
  seed: z
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .describe('All that is random follows from it.'),
  episode: z.int().min(0).max(1_000_000).describe('Number of the start within one collection: each has other noise.'),
  wander: torque('Standard deviation of noise that comes and goes (Ornstein-Uhlenbeck).'),
  wanderTime: z.number().min(0.01).max(10).describe('Its correlation time [s].'),
  white: torque('Standard deviation of noise that each decision has for itself.'),
  mostTorque: torque('The two together are never beyond this.'),
  setPoint: z
    .number()
    .min(0)
    .max(5)
    .describe(
      "How far the set point goes from the task's own: of the place [m] where it stands still, of the speed [m/s] where it moves.",
    ),
  setPointTime: z.number().min(1).max(600).describe('A set point lasts this long until the next is drawn [s].'),
});
export type Exploration = z.output<typeof explorationSchema>;

const NAMES = Object.keys(explorationSchema.shape) as ReadonlyArray<keyof Exploration>;

/** The same behaviour, whichever start it was. */
export const sameBehaviour = (a: Exploration, b: Exploration): boolean =>
  NAMES.every((name) => name === 'episode' || a[name] === b[name]);
