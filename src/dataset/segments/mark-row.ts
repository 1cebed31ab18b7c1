import type { Row } from '../../messages/row.ts';
import { LIMITS } from '../../messages/states.ts';
import { type ConditionId, conditionBit, FAILSAFE_TABLE, FALLS } from '../../safety/failsafe-table.ts';
import { MARKS, markBit } from '../marks.ts';

const maskOf = (ids: readonly ConditionId[]): bigint => ids.reduce((mask, id) => mask | conditionBit(id), 0n);

/** The failsafe table lets go of a robot that cannot be saved. */
export const FALLING_CONDITIONS = maskOf(FALLS);
/** Answers that reached the MCU late or not at all: an older command acted for a part of the time. */
const LATE = maskOf(['overrun', 'overrun-lasting', 'commands-late', 'frame-late']);
/** What does more than warn; a condition that warns (a low battery) says nothing against a row. */
export const ACTING_CONDITIONS = maskOf(FAILSAFE_TABLE.filter(({ action }) => action !== 'warn').map(({ id }) => id));
/** A row of a fall is clean: no torque, which is its action, led there. */
const MARKED = ACTING_CONDITIONS & ~LATE & ~FALLING_CONDITIONS;

/** Bit of a limit → bit of the mark of the same name. */
const MARK_OF_LIMIT = LIMITS.map((limit) => {
  const mark = MARKS.find((name) => name === limit);
  return mark === undefined ? 0 : markBit(mark);
});

/** The marks of a row of a robot that runs or falls, save for what only its action tells. */
export function marksOfRow({ limits, conditions, joints }: Pick<Row, 'limits' | 'conditions' | 'joints'>): number {
  let marks = joints ? markBit('legs-moved') : 0;
  for (const [bit, mark] of MARK_OF_LIMIT.entries()) if ((limits >>> bit) & 1) marks |= mark;
  if (conditions === 0n) return marks;
  if ((conditions & LATE) !== 0n) marks |= markBit('overrun');
  if ((conditions & MARKED) !== 0n) marks |= markBit('condition');
  return marks;
}
