import { needsHeartbeat } from '../../messages/mode.ts';
import type { TrialReport } from '../../messages/policy-updates.ts';
import { decimation } from '../../safety/arming.ts';
import { activeConditions } from '../../safety/failsafe-table.ts';
import { openPolicy } from '../controllers/policies.ts';
import type { PolicyRunner } from '../controllers/policy-runner.ts';
import type { Actuated } from '../tick.ts';
import type { Ledger } from './ledger.ts';
import type { PolicyUpdatesParts } from './parts.ts';
import type { QuietMoments } from './quiet.ts';
import type { Shadowing } from './shadowing.ts';
import * as versions from './slots.ts';
import { GuardTally, Trial, UsualLean } from './trial.ts';
import type { Vetting } from './vetting.ts';

export interface InChargeParts
  extends Pick<PolicyUpdatesParts, 'config' | 'control' | 'policies' | 'rate' | 'robot' | 'store' | 'trust' | 'wall'> {
  readonly ledger: Ledger;
  readonly quiet: QuietMoments;
  readonly vetting: Pick<Vetting, 'refuse'>;
  readonly shadowing: Pick<Shadowing, 'runs' | 'drop'>;
}

/** Runs before a policy is in charge, one after a command each. */
const WARM_RUNS = 20;

/** Which versions the controllers find: one takes over, is on trial, and is committed or rolled back. */
export class InCharge {
  readonly #parts: InChargeParts;
  readonly #ledger: Ledger;
  readonly #tally = new GuardTally();
  readonly #lean = new UsualLean();
  /** policies that can run at once: the active ones, and those before them */
  readonly #opened: Map<string, PolicyRunner>;
  #activating = false;
  #trial: Trial | undefined;
  /** by the rule, as soon as the robot allows it */
  #due: { readonly id: string; readonly version: number } | undefined;
  #sinceDue = 0;

  /** @param opened by `keyOf` */
  constructor(parts: InChargeParts, opened: ReadonlyMap<string, PolicyRunner>) {
    this.#parts = parts;
    this.#ledger = parts.ledger;
    this.#opened = new Map(opened);
  }

  /** Of a policy whose active version is on trial. */
  trialOf(id: string): TrialReport | undefined {
    return this.#trial?.id === id ? this.#trial.report : undefined;
  }

  /** A command has gone out. */
  frame(tick: Actuated): void {
    this.#watchTrial(tick);
    this.#tally.frame(tick);
    this.#lean.frame(tick);
  }

  #watchTrial(tick: Actuated): void {
    const trial = this.#trial;
    if (!trial) return;
    const { mode } = this.#parts.control.safety;
    const against = trial.frame(tick, mode.task === 'disarmed' ? undefined : mode.controller);
    if (against !== undefined) this.rollBack(trial.id, against, true);
    else if (trial.isOver) this.#commit();
  }

  /** Whatever has happened to the robot without a frame. */
  stateChanged(): void {
    const { safety } = this.#parts.control;
    if (!this.#trial || safety.mode.task === 'disarmed' || safety.mode.controller !== this.#trial.id) return;
    if (['braking', 'limp', 'estopped'].includes(safety.robotState)) {
      this.rollBack(this.#trial.id, `failsafe: the robot is ${safety.robotState}`, true);
    }
  }

  #inCharge(id: string): boolean {
    const { mode, robotState } = this.#parts.control.safety;
    return robotState === 'running' && mode.task !== 'disarmed' && mode.controller === id;
  }

  /** What the robot itself has against a change now. */
  #momentAgainst(id: string, version: number, byRule: boolean): string | undefined {
    const { safety } = this.#parts.control;
    const { mode, robotState } = safety;
    if (robotState === 'braking') return 'moment: the robot is braking';
    if (!this.#inCharge(id) || mode.task === 'disarmed') return undefined;
    const wrong = activeConditions(safety.active).filter(({ action }) => action !== 'warn');
    if (wrong.length > 0) return `moment: ${wrong.map((row) => row.id).join(', ')}`;
    if (mode.exploration) return 'moment: the robot explores';
    if (byRule && needsHeartbeat(mode)) return 'moment: the robot moves';
    if (versions.recordOf(this.#ledger.slots, id, version)?.shadow === undefined) {
      return `not-shadowed: ${id} is in charge; version ${version} has to run beside it first, or the robot be disarmed`;
    }
    return undefined;
  }

  /** @returns why not */
  async activate(id: string, version: number, byRule = false): Promise<string | undefined> {
    if (this.#activating) return 'under-way: another version is being activated';
    const against = versions.activatable(this.#ledger.slots, id, version) ?? this.#momentAgainst(id, version, byRule);
    if (against !== undefined) return against;
    this.#activating = true;
    try {
      const policy = await this.#open(id, version);
      if (typeof policy === 'string') {
        await this.#parts.vetting.refuse(id, version, [policy]);
        return policy;
      }
      // What has happened while it was read counts.
      const late = this.#momentAgainst(id, version, byRule);
      if (late !== undefined) return late;
      const { shadowing } = this.#parts;
      if (shadowing.runs(id, version)) shadowing.drop(['activated: it takes over']);
      const after = versions.activated(this.#ledger.slots, id, version, this.#parts.wall());
      if (versions.isRefused(after)) return after.refused;
      const { previous } = versions.slotOf(after, id);
      // On the disk first: a crash from here on finds a trial, and begins with the version before.
      if (!(await this.#ledger.keep(after))) {
        this.rollBack(id, this.#ledger.notKept(), false);
        return this.#ledger.notKept();
      }
      const { trial } = this.#ledger.slots;
      if (trial?.id !== id || trial.version !== version)
        return 'overtaken: another order came while it was written down';
      const tooLate = this.#momentAgainst(id, version, byRule);
      if (tooLate !== undefined) {
        this.rollBack(id, tooLate, false);
        return tooLate;
      }
      this.#takeOver(id, version, previous, policy);
      return undefined;
    } finally {
      this.#activating = false;
    }
  }

  #takeOver(id: string, version: number, previous: number | null, policy: PolicyRunner): void {
    const { config, control, policies, robot } = this.#parts;
    this.#opened.set(versions.keyOf(id, version), policy);
    for (const key of [...this.#opened.keys()]) {
      if (key.startsWith(`${id} `) && ![version, previous].some((kept) => key === versions.keyOf(id, kept ?? 0)))
        this.#opened.delete(key);
    }
    const before = policies.get(id);
    this.#trial = new Trial({
      id,
      hash: policy.hash,
      wanted: config.policyUpdates.trialSeconds,
      limitedBefore: this.#tally.share(before?.hash),
      leanBefore: this.#lean.value,
      robot,
    });
    policies.set(id, policy);
    control.policyChanged(id);
    this.#ledger.say(id, version);
  }

  /** A version that can run at once, made in moments after commands. */
  async #open(id: string, version: number): Promise<PolicyRunner | string> {
    const { quiet, store, trust, wall, rate, robot } = this.#parts;
    const record = versions.recordOf(this.#ledger.slots, id, version);
    if (!record) return `unknown: there is no version ${version} of ${id}`;
    let policy = this.#opened.get(versions.keyOf(id, version));
    if (!policy) {
      const bundle = await store.load(id, record, trust);
      if (typeof bundle === 'string') return bundle;
      if (bundle.manifest.robot !== robot.name) return `robot: made for "${bundle.manifest.robot}"`;
      await quiet.next();
      policy = await openPolicy(bundle);
      for (let run = 0; run < WARM_RUNS; run++) {
        await quiet.next();
        await policy.decide({ x: 0, v: 0, pitch: 0, pitchRate: 0 }, 0).catch(() => undefined);
      }
    }
    if (!(wall() < policy.expires)) return 'expired: no robot starts it any more';
    if (decimation(rate(), policy.rate) === undefined) return `rate: ${policy.rate} Hz does not divide ${rate()} Hz`;
    return policy;
  }

  /** In memory and for the next frame at once; then on the disk. @returns why not */
  rollBack(id: string, reason: string, failed: boolean): string | undefined {
    const { control, policies, wall } = this.#parts;
    const { active } = versions.slotOf(this.#ledger.slots, id);
    const after = versions.rolledBack(this.#ledger.slots, { id, reason, failed }, wall());
    if (versions.isRefused(after)) return after.refused;
    const back = versions.slotOf(after, id).active;
    const opened = back === null ? undefined : this.#opened.get(versions.keyOf(id, back));
    if (this.#trial?.id === id) this.#trial = undefined;
    const changes = policies.get(id) !== opened;
    if (opened) policies.set(id, opened);
    else policies.delete(id);
    if (changes) control.policyChanged(id);
    void this.#ledger.keep(after);
    if (active !== null) this.#ledger.say(id, active);
    if (back !== null) this.#ledger.say(id, back);
    return undefined;
  }

  #commit(): void {
    const trial = this.#trial;
    this.#trial = undefined;
    if (!trial) return;
    const { wall } = this.#parts;
    const { active, previous } = versions.slotOf(this.#ledger.slots, trial.id);
    const before = this.#ledger.slots;
    const after = versions.committed(before, wall());
    // It is not called committed before a power cut could no longer take that back.
    const kept = this.#ledger.write(after).then(() => {
      if (this.#ledger.slots === before) this.#ledger.slots = after;
      else void this.#ledger.keep(versions.committed(this.#ledger.slots, wall()));
      for (const version of [active, previous]) if (version !== null) this.#ledger.say(trial.id, version);
    });
    this.#ledger.alsoUnderWay(kept);
  }

  /** By the rule, as soon as the robot allows it; see `activateIfDue`. */
  activateSoon(id: string, version: number): void {
    this.#due = { id, version };
  }

  /** To be called a few times a second. */
  activateIfDue(): void {
    const due = this.#due;
    this.#sinceDue += 1;
    if (!due || this.#activating || this.#sinceDue % 10 !== 0) return;
    const { stage } = versions.recordOf(this.#ledger.slots, due.id, due.version) ?? {};
    // Somebody has decided otherwise.
    if (stage !== 'eligible') this.#due = undefined;
    else if (versions.activatable(this.#ledger.slots, due.id, due.version) === undefined) {
      this.#ledger.underWay = this.activate(due.id, due.version, true);
    }
  }
}
