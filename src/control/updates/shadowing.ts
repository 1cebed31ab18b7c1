import { messageOf } from '../../errors.ts';
import type { ShadowReport } from '../../messages/policy-updates.ts';
import { decimation } from '../../safety/arming.ts';
import type { Actuated } from '../tick.ts';
import { BENCH_PATIENCE } from './bench.ts';
import type { Ledger } from './ledger.ts';
import type { PolicyUpdatesParts } from './parts.ts';
import { Shadow, shadowFrameOf } from './shadow.ts';
import * as versions from './slots.ts';
import type { Vetting } from './vetting.ts';

export interface ShadowingParts extends Pick<PolicyUpdatesParts, 'bench' | 'config' | 'rate' | 'robot' | 'wall'> {
  readonly ledger: Ledger;
  readonly vetting: Pick<Vetting, 'fromStore' | 'readyBench'>;
  /** Nothing that was seen of the version speaks against it. */
  readonly onComplete: (id: string, version: number) => void;
}

/** The one version that runs beside the active one, from an order or the rule until it is complete or dropped. */
export class Shadowing {
  readonly #parts: ShadowingParts;
  readonly #ledger: Ledger;
  #shadow: Shadow | undefined;

  constructor(parts: ShadowingParts) {
    this.#parts = parts;
    this.#ledger = parts.ledger;
    parts.bench.onObservation = (observation) => {
      const why = this.#shadow?.observed(observation);
      if (why !== undefined) this.drop([why]);
    };
    parts.bench.onEnded = (how) => {
      if (this.#shadow) this.drop([`process: it ended (${how})`]);
    };
  }

  /** Of a version that runs as a shadow now. */
  reportOf(id: string, version: number): ShadowReport | undefined {
    return this.runs(id, version) ? this.#shadow?.report : undefined;
  }

  runs(id: string, version: number): boolean {
    return this.#shadow?.id === id && this.#shadow.version === version;
  }

  /** A command has gone out. */
  frame(tick: Actuated): void {
    const shadow = this.#shadow;
    if (!shadow) return;
    const against = shadow.frame(shadowFrameOf(tick));
    if (against !== undefined) this.drop([against]);
    else if (shadow.isComplete) this.#complete(shadow);
  }

  /** @returns why not */
  async begin(id: string, version: number): Promise<string | undefined> {
    const { bench, config, robot, rate, vetting, wall } = this.#parts;
    const record = versions.recordOf(this.#ledger.slots, id, version);
    if (record?.from !== 'store') return `unknown: there is no version ${version} of ${id} in the store`;
    if (this.#shadow) return `shadow: version ${this.#shadow.version} of ${this.#shadow.id} runs as one`;
    if (record.stage !== 'eligible') return `stage: version ${version} of ${id} is ${record.stage}, not eligible`;
    if (!vetting.readyBench()) return 'process: it can only be started while the robot is not armed';
    try {
      const summary = await vetting.fromStore(id, record);
      if (typeof summary === 'string') return summary;
      const framesPerDecision = decimation(rate(), summary.rate);
      if (framesPerDecision === undefined) return `rate: ${summary.rate} Hz does not divide ${rate()} Hz`;
      await bench.ask({ do: 'shadow', robot, rate: rate() }, BENCH_PATIENCE);
      const after = versions.shadowed(this.#ledger.slots, id, version, wall());
      if (versions.isRefused(after)) return after.refused;
      this.#shadow = new Shadow({
        id,
        version,
        task: summary.task,
        framesPerDecision,
        wanted: config.policyUpdates.shadowSeconds,
        budgetUs: (config.policyLatencyBudget * 1e6) / summary.rate,
        robot,
        ask: (observe) => bench.observe(observe),
      });
      await this.#ledger.keep(after);
      this.#ledger.say(id, version);
      return undefined;
    } catch (error) {
      return `process: ${messageOf(error)}`;
    }
  }

  drop(reasons: readonly string[]): void {
    const shadow = this.#shadow;
    if (!shadow) return;
    this.#shadow = undefined;
    const { bench, wall } = this.#parts;
    void bench.ask({ do: 'unshadow' }, BENCH_PATIENCE).catch(() => undefined);
    void this.#ledger.keep(versions.unshadowed(this.#ledger.slots, shadow.id, shadow.version, reasons, wall()));
    this.#ledger.say(shadow.id, shadow.version);
  }

  #complete(shadow: Shadow): void {
    const reasons = shadow.verdict();
    if (reasons.length > 0) {
      this.drop(reasons);
      return;
    }
    this.#shadow = undefined;
    const { bench, onComplete, wall } = this.#parts;
    const { id, version, report } = shadow;
    void bench.ask({ do: 'unshadow' }, BENCH_PATIENCE).catch(() => undefined);
    void this.#ledger.keep(versions.unshadowed(this.#ledger.slots, id, version, [], wall(), report));
    this.#ledger.say(id, version);
    onComplete(id, version);
  }
}
