import type { Verdict } from '../../safety/delay-budget.ts';

/** One thing that was looked at. */
export interface Finding {
  readonly id: string;
  readonly verdict: Verdict;
  readonly found: string;
  /** the line that mends it; empty if there is nothing to mend */
  readonly remedy: string;
}

export const pass = (id: string, found: string): Finding => ({ id, verdict: 'pass', found, remedy: '' });
export const warn = (id: string, found: string, remedy: string): Finding => ({ id, verdict: 'warn', found, remedy });
export const fail = (id: string, found: string, remedy: string): Finding => ({ id, verdict: 'fail', found, remedy });
