import type { Action } from '../messages/states.ts';
import type { Robot } from '../robot/robot.ts';
import type { Facts } from './facts.ts';

/** When an active condition stops being active. Each later one includes those before it. */
export type Clears = 'itself' | 'new-mode' | 'disarm' | 'reset';

/** What each way of clearing means, for people. */
export const CLEARS_SAYS: Readonly<Record<Clears, string>> = {
  itself: 'by itself, as soon as it no longer holds',
  'new-mode': 'with the next mode that an operator gives, once it no longer holds',
  disarm: 'when the robot is disarmed, once it no longer holds',
  reset: 'by a signed reset, once it no longer holds',
};

/** Frames in a row without a condition after which it clears by itself. */
export const recoveryOf = ({ recovery = 1 }: Condition): number => recovery;

/** When a condition is over, for people. */
export function clearsOf(row: Condition): string {
  const frames = recoveryOf(row);
  return frames > 1 ? `${CLEARS_SAYS[row.clears]}, for ${frames} frames in a row` : CLEARS_SAYS[row.clears];
}

/** One row of the failsafe table. */
export interface Condition {
  readonly id: string;
  /** what it means, for a tired person */
  readonly says: string;
  /** what to do about it */
  readonly remedy: string;
  /** least that happens while it is active; highest of all active ones wins */
  readonly action: Action;
  readonly clears: Clears;
  /** sensor frames in a row for which it must hold */
  readonly debounce: number;
  /**
   * for one that clears by itself: sensor frames in a row without it until it does, so that it does not flap and flood log,
   * broker and operator; 1 if not given
   */
  readonly recovery?: number;
  /** when it holds, in words and with this robot's numbers */
  readonly threshold: (robot: Robot) => string;
  /** where the threshold comes from */
  readonly source: string;
  /** NaN in the facts must make this true where NaN is dangerous: compare so that it does */
  readonly holds: (facts: Facts, robot: Robot) => boolean;
}
