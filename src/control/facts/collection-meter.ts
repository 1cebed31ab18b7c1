import type { Mode } from '../../messages/mode.ts';
import type { Row } from '../../messages/row.ts';
import { LIMITS } from '../../messages/states.ts';
import { Coverage } from '../../robot/coverage.ts';

const EXPLORATION = 1 << LIMITS.indexOf('exploration');

/** What a collection has brought so far, counted where the rows are made. */
export class CollectionMeter {
  /** rows on which a controller explored, since control started */
  transitions = 0;
  readonly #coverage = new Coverage();

  /** Cells of `Coverage` that the present collection has visited. */
  get cells(): number {
    return this.#coverage.visited;
  }

  /** Its first start begins a collection. */
  modeBegins(mode: Mode): void {
    if (mode.task !== 'disarmed' && mode.exploration?.episode === 0) this.#coverage.clear();
  }

  row({ limits, robotState, state }: Row): void {
    if ((limits & EXPLORATION) === 0 || robotState !== 'running') return;
    this.transitions += 1;
    this.#coverage.add(state);
  }
}
