import { z } from 'zod';
import { taskNames } from '../robot/tasks/tasks.ts';
import { explorationSchema } from './exploration.ts';

/** `balancer` (built in) or the id of a policy bundle. */
export const controllerSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, { error: 'must be "balancer" or a policy id (lower case letters, digits, "-")' });

/** A mode is disarmed, or a task with the controller that does it. */
export const modeSchema = z.discriminatedUnion('task', [
  z.strictObject({ task: z.literal('disarmed') }),
  z.strictObject({
    task: z.enum(taskNames),
    controller: controllerSchema,
    /** [m/s] forward; only the balancer follows another than the task's own */
    targetVelocity: z.number().min(-5).max(5).optional(),
    /** noise and set points on top of what the controller asks for, to collect data */
    exploration: explorationSchema.optional(),
  }),
]);
export type Mode = z.output<typeof modeSchema>;
export type ArmedMode = Exclude<Mode, { task: 'disarmed' }>;

export const DISARMED: Mode = { task: 'disarmed' };

/** Modes that move the robot away from where it is, or disturb it on purpose, want somebody who watches. */
export const needsHeartbeat = (mode: Mode): boolean =>
  mode.task === 'moving-straight' ||
  (mode.task !== 'disarmed' && ((mode.targetVelocity ?? 0) !== 0 || mode.exploration !== undefined));

/** The mode in one short phrase for people. */
export function describeMode(mode: Mode): string {
  if (mode.task === 'disarmed') return 'disarmed';
  const velocity = mode.targetVelocity === undefined ? '' : ` at ${mode.targetVelocity} m/s`;
  const { exploration } = mode;
  const exploring = exploration ? `, exploring (seed ${exploration.seed}, episode ${exploration.episode})` : '';
  return `${mode.task} under ${mode.controller}${velocity}${exploring}`;
}
