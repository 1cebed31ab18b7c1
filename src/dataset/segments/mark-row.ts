import type { Row } from '../../messages/row.ts';
import { LIMITS } from '../../messages/states.ts';
import { type ConditionId, conditionBit, FAILSAFE_TABLE } from '../../safety/failsafe-table.ts';
import { MARKS, markBit } from '../marks.ts';

const maskOf = (ids: readonly ConditionId[]): bigint => ids.reduce((mask, id) => mask | conditionBit(id), 0n);

/** Answers that reached the MCU late or not at all: an older command acted for a part of the time. */
const LATE = maskOf(['overrun', 'overrun-lasting', 'commands-late', 'frame-late']);
/** What does more than warn; a condition that warns (a low battery) says nothing against a row. */
const ACTING = maskOf(FAILSAFE_TABLE.filter(({ action }) => action !== 'warn').map(({ id }) => id)) & ~LATE;

/** Bit of a limit → bit of the mark of the same name. */
const MARK_OF_LIMIT = LIMITS.map((limit) => {
  const mark = MARKS.find((name) => name === limit);
  return mark === undefined ? 0 : markBit(mark);
});

/** The marks of a row of a running robot, save for what only its action tells. */
export function marksOfRow({ limits, conditions }: Pick<Row, 'limits' | 'conditions'>): number {
  let marks = 0;
  for (const [bit, mark] of MARK_OF_LIMIT.entries()) if ((limits >>> bit) & 1) marks |= mark;
  if (conditions === 0n) return marks;
  if ((conditions & LATE) !== 0n) marks |= markBit('overrun');
  if ((conditions & ACTING) !== 0n) marks |= markBit('condition');
  return marks;
}
