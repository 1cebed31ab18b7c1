import { z } from 'zod';

/** State of the robot as `control` holds it. Every start begins `disarmed`. */
export const ROBOT_STATES = ['disarmed', 'running', 'braking', 'limp', 'estopped'] as const;
export const robotStateSchema = z.enum(ROBOT_STATES);
export type RobotState = z.output<typeof robotStateSchema>;

/** Actions of the failsafe table, rising. */
export const ACTIONS = ['warn', 'fallback', 'brake', 'limp', 'estop'] as const;
export const actionSchema = z.enum(ACTIONS);
export type Action = z.output<typeof actionSchema>;

/** What acted on a command between the controller's request and the wire; bit number = position. */
export const LIMITS = [
  'not-running',
  'non-finite',
  'policy-range',
  'torque',
  'slew',
  'fallback',
  'policy-late',
  'blend',
  'exploration',
  'leg-position',
  'leg-speed',
  'leg-torque',
  'leg-balance',
] as const;
export const limitSchema = z.enum(LIMITS);
export type Limit = z.output<typeof limitSchema>;

/** Bit of one limit in a mask. */
export const limitBit = (limit: Limit): number => 1 << LIMITS.indexOf(limit);

/** Names of the limits in a mask. */
export const limitNames = (mask: number): Limit[] => LIMITS.filter((_, bit) => (mask >>> bit) & 1);
