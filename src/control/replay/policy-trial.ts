import { type Limit, limitNames } from '../../messages/states.ts';
import { activeConditions } from '../../safety/failsafe-table.ts';
import type { Actuated } from '../tick.ts';

/** A condition that the other policy would have tripped, and the recorded run did not. */
export interface Tripped {
  readonly condition: string;
  readonly action: string;
  /** sequence of the first row */
  readonly firstRow: number;
  rows: number;
}

/**
 * Another policy on the states of a recorded run, in open loop: what it asks for is judged by the same guard and the same
 * failsafe table, but the robot has gone its own way. Once the table has taken it out of charge it is out until the next mode.
 */
export class PolicyTrial {
  /** rows on which it was in charge */
  rows = 0;
  /** of these, how many each limit acted on */
  readonly limits: Partial<Record<Limit, number>> = {};
  /** rows on which its action was at or beyond an end of its range */
  saturated = 0;
  readonly tripped: Tripped[] = [];
  /** actions, in units of the robot's torque scale, against those of the recorded run */
  readonly difference = { rows: 0, mean: 0, max: 0, maxRow: -1 };
  readonly #recorded = new Map<number, Actuated>();
  readonly #other = new Map<number, Actuated>();
  readonly #hash: bigint;
  readonly #torqueScale: number;
  readonly #isScaled: boolean;

  /**
   * @param torqueScale total torque that one unit of action is [N·m]
   * @param isScaled false for a policy of joints, whose torques have no range of their own; the limits say what acted on them
   */
  constructor(hash: bigint, torqueScale: number, isScaled = true) {
    this.#hash = hash;
    this.#torqueScale = torqueScale;
    this.#isScaled = isScaled;
  }

  recorded(tick: Actuated): void {
    this.#meet(tick.sequence, tick, this.#other.get(tick.sequence));
    if (!this.#other.delete(tick.sequence)) this.#recorded.set(tick.sequence, tick);
  }

  other(tick: Actuated): void {
    this.#meet(tick.sequence, this.#recorded.get(tick.sequence), tick);
    if (!this.#recorded.delete(tick.sequence)) this.#other.set(tick.sequence, tick);
  }

  #meet(row: number, recorded: Actuated | undefined, other: Actuated | undefined): void {
    if (!recorded || !other) return;
    for (const { id, action } of activeConditions(other.conditions & ~recorded.conditions)) {
      const known = this.tripped.find(({ condition }) => condition === id);
      if (known) known.rows += 1;
      else this.tripped.push({ condition: id, action, firstRow: row, rows: 1 });
    }
    // What the guard makes of an action that is not a number is the balancer's.
    const tried = other.controller === 'policy' && other.policyHash === this.#hash;
    const failed = limitNames(other.requestLimits).some((limit) => limit === 'non-finite' || limit === 'policy-late');
    if (!tried && !failed) return;
    this.rows += 1;
    for (const limit of limitNames(other.limits)) this.limits[limit] = (this.limits[limit] ?? 0) + 1;
    const action = other.request.total / this.#torqueScale;
    if (!tried) return;
    if (this.#isScaled && Math.abs(action) >= 1) this.saturated += 1;
    if (recorded.robotState !== 'running') return;
    const difference = Math.abs(action - recorded.request.total / this.#torqueScale);
    const { rows, mean, max } = this.difference;
    this.difference.rows = rows + 1;
    this.difference.mean = mean + (difference - mean) / (rows + 1);
    if (difference <= max) return;
    this.difference.max = difference;
    this.difference.maxRow = row;
  }
}
