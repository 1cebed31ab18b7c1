import type { Row } from '../../messages/row.ts';
import { ACTING_CONDITIONS, FALLING_CONDITIONS } from './mark-row.ts';

/** Longer than this no fall takes that was predicted: somebody holds it [rows]. */
const LONGEST = 200;

/**
 * The end of a fall. The failsafe table takes the torque away as soon as a fall is certain, before the lean at which a task
 * ends; without the rows between the two no fall would ever be seen in the data of a robot that is guarded.
 */
export class Fall {
  #rows: Row[] = [];

  /**
   * @param before the latest row of the running robot
   * @returns whether the row goes on with a fall from there, or begins one
   */
  take(row: Row, before: Row | undefined): boolean {
    const previous = this.#rows.at(-1) ?? before;
    if (previous === undefined || previous.done || previous.timeout || this.#rows.length === LONGEST) return false;
    const goesOn =
      row.boot === previous.boot &&
      row.sequence === previous.sequence + 1n &&
      row.task === previous.task &&
      row.episode === previous.episode;
    // On its way down it may trip other conditions, and be disarmed; there is no torque in any case.
    const isFalling = this.#rows.length > 0 ? row.robotState === 'limp' || row.robotState === 'disarmed' : isLetGo(row);
    if (!goesOn || !isFalling) return false;
    this.#rows.push(row);
    return true;
  }

  /** All of its rows; there is none afterwards. */
  end(): readonly Row[] {
    const rows = this.#rows;
    this.#rows = [];
    return rows;
  }
}

/** For this reason, and for no other. */
const isLetGo = ({ robotState, conditions }: Row): boolean =>
  robotState === 'limp' &&
  (conditions & FALLING_CONDITIONS) !== 0n &&
  (conditions & ACTING_CONDITIONS & ~FALLING_CONDITIONS) === 0n;
