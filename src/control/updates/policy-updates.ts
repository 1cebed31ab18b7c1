import { messageOf } from '../../errors.ts';
import type { TrustStore } from '../../keys/trust-store.ts';
import { trustEntry } from '../../keys/trust-store.ts';
import type { Config } from '../../messages/config.ts';
import { needsHeartbeat } from '../../messages/mode.ts';
import type { PolicyVersion } from '../../messages/policy-updates.ts';
import type { Command, Refusal } from '../../messages/requests.ts';
import { MAX_OBSERVATION } from '../../messages/row.ts';
import type { Robot } from '../../robot/robot.ts';
import { decimation } from '../../safety/arming.ts';
import { activeConditions } from '../../safety/failsafe-table.ts';
import { openPolicy } from '../controllers/policies.ts';
import type { PolicyRunner } from '../controllers/policy-runner.ts';
import type { ControlEvent, RobotControl } from '../robot-control.ts';
import type { PolicyOrders } from '../socket/requests.ts';
import type { Actuated } from '../tick.ts';
import type { Bench } from './bench.ts';
import type { BundlePlace, BundleSummary, ReplayAnswer, SelfTestAnswer, VetAnswer } from './bench-messages.ts';
import { QuietMoments } from './quiet.ts';
import { RecentRows } from './recent-rows.ts';
import { Shadow, shadowFrameOf } from './shadow.ts';
import * as versions from './slots.ts';
import type { SlotsFile } from './slots-file.ts';
import type { VersionStore } from './store.ts';
import { GuardTally, Trial } from './trial.ts';

export interface PolicyUpdatesParts {
  readonly config: Config;
  readonly robot: Robot;
  readonly trust: TrustStore;
  readonly bench: Bench;
  readonly store: VersionStore;
  readonly file: SlotsFile;
  /** folder into which the gateway puts what it has fetched */
  readonly incoming: string;
  /** what the controllers find under each id; changed between frames */
  readonly policies: Map<string, PolicyRunner>;
  readonly control: Pick<RobotControl, 'safety' | 'policyChanged'>;
  /** sensor frames a second [Hz] */
  readonly rate: () => number;
  /** wall clock [ms since 1970] */
  readonly wall: () => number;
  readonly tell: (event: ControlEvent) => void;
  /** why versions cannot be kept; empty if they can */
  readonly problem?: string;
}

/** How long the process that tries policies may take [ms]: long, since it gives way to everything else. */
const PATIENCE = 120_000;
/** Folders that wait to be looked at. */
const MOST_WAITING = 8;
/** Refused bundles that nobody trusted has signed, or whose version was not to be; only the latest are told. */
const MOST_STRANGERS = 16;
const MOST_REASONS = 16;
const LONGEST_REASON = 300;
/** Runs before a policy is in charge, one after a command each. */
const WARM_RUNS = 20;

interface Opened {
  readonly policy: PolicyRunner;
}

/**
 * Versions of policies on this robot, from a folder that the gateway names to a policy in charge and, if need be, back. Whatever
 * takes time is done in the process that tries policies or in a moment after a command; what changes the robot is a word to
 * `RobotControl` between two frames. The rules are in `slots.ts`; here is who does what when.
 */
export class PolicyUpdates implements PolicyOrders {
  readonly quiet = new QuietMoments();
  readonly rows = new RecentRows();
  readonly #parts: PolicyUpdatesParts;
  readonly #tally = new GuardTally();
  #slots: versions.Slots;
  /** policies that can run at once: the active ones, and those before them */
  readonly #opened: Map<string, Opened>;
  readonly #waiting: string[] = [];
  readonly #strangers: PolicyVersion[] = [];
  readonly #folders = new Map<string, string>();
  #working = false;
  #activating = false;
  #shadow: Shadow | undefined;
  #trial: Trial | undefined;
  /** by the rule, as soon as the robot allows it */
  #due: { readonly id: string; readonly version: number } | undefined;
  #sinceDue = 0;
  #last: Promise<unknown> = Promise.resolve();

  /** @param slots as `loadVersions` found them @param opened by `keyOf` */
  constructor(parts: PolicyUpdatesParts, slots: versions.Slots, opened: ReadonlyMap<string, PolicyRunner>) {
    this.#parts = parts;
    this.#slots = slots;
    this.#opened = new Map([...opened].map(([key, policy]) => [key, { policy }]));
    parts.bench.onObservation = (observation) => {
      const why = this.#shadow?.observed(observation);
      if (why !== undefined) this.#dropShadow([why]);
    };
    parts.bench.onEnded = (how) => {
      if (this.#shadow) this.#dropShadow([`process: it ended (${how})`]);
    };
  }

  /** For tests and for an orderly end: resolves when nothing is under way. */
  async settled(): Promise<void> {
    for (let before: unknown; before !== this.#last; ) {
      before = this.#last;
      await this.#last;
    }
  }

  get slots(): versions.Slots {
    return this.#slots;
  }

  // --- orders -------------------------------------------------------------------------------------------------------

  vet(folder: string): Refusal | undefined {
    const { problem = '' } = this.#parts;
    if (problem !== '') return refusalOf('versions-unreadable', problem, 'restore the file, or remove it if you must');
    if (this.#waiting.includes(folder)) return undefined;
    if (this.#waiting.length >= MOST_WAITING) {
      return refusalOf(
        'too-many-bundles',
        `${MOST_WAITING} bundles are waiting already`,
        'wait for what becomes of them',
      );
    }
    this.#waiting.push(folder);
    this.#workSoon();
    return undefined;
  }

  async obey({ action, id, version }: Extract<Command, { name: 'policy' }>): Promise<Refusal | undefined> {
    switch (action) {
      case 'activate':
        return await this.#activate(id, version);
      case 'rollback': {
        const { previous } = versions.slotOf(this.#slots, id);
        if (previous !== version) return told(`previous: version ${previous ?? 'none'} is what ${id} returns to`);
        return told(this.#rollBack(id, 'operator: by an order', false));
      }
      case 'shadow':
        return told(await this.#beginShadow(id, version));
      case 'unshadow':
        if (this.#shadow?.id !== id || this.#shadow.version !== version) return told('shadow: it does not run as one');
        this.#dropShadow(['operator: by an order']);
        return undefined;
    }
  }

  // --- frames -------------------------------------------------------------------------------------------------------

  /** A command has gone out. */
  frame(tick: Actuated): void {
    this.#tally.frame(tick);
    this.#watchTrial(tick);
    this.#watchShadow(tick);
    this.quiet.commandSent();
  }

  /** To be called a few times a second: also where no frames come. */
  tick(): void {
    this.quiet.tick();
    this.#workSoon();
    this.#activateIfDue();
  }

  /** Whatever has happened to the robot without a frame. */
  stateChanged(): void {
    const { safety } = this.#parts.control;
    if (!this.#trial || safety.mode.task === 'disarmed' || safety.mode.controller !== this.#trial.id) return;
    if (['braking', 'limp', 'estopped'].includes(safety.robotState)) {
      this.#rollBack(this.#trial.id, `failsafe: the robot is ${safety.robotState}`, true);
    }
  }

  #watchTrial(tick: Actuated): void {
    const trial = this.#trial;
    if (!trial) return;
    const { mode } = this.#parts.control.safety;
    const against = trial.frame(tick, mode.task === 'disarmed' ? undefined : mode.controller);
    if (against !== undefined) this.#rollBack(trial.id, against, true);
    else if (trial.isOver) this.#commit();
  }

  #watchShadow(tick: Actuated): void {
    const shadow = this.#shadow;
    if (!shadow) return;
    const against = shadow.frame(shadowFrameOf(tick));
    if (against !== undefined) this.#dropShadow([against]);
    else if (shadow.isComplete) this.#completeShadow(shadow);
  }

  // --- what is on the way --------------------------------------------------------------------------------------------

  #workSoon(): void {
    if (this.#working) return;
    const { bench } = this.#parts;
    const verified = this.#untested();
    if (this.#waiting.length === 0 && verified === undefined) return;
    if (!bench.isUp) {
      if (this.#isArmed) return;
      bench.start();
    }
    this.#working = true;
    const [folder] = this.#waiting;
    const work = folder !== undefined ? this.#examine(folder) : this.#again(verified);
    this.#last = work
      .catch((error: unknown) => this.#tell({ event: 'policy-trouble', problem: messageOf(error) }))
      .finally(() => {
        if (folder !== undefined) this.#waiting.shift();
        this.#working = false;
        this.#workSoon();
      });
  }

  /** Making a process stops this one for longer than an armed robot can bear. */
  get #isArmed(): boolean {
    const { robotState } = this.#parts.control.safety;
    return robotState === 'running' || robotState === 'braking';
  }

  /** One whose tests a restart has cut short. */
  #untested(): { readonly id: string; readonly record: versions.VersionRecord } | undefined {
    for (const [id, slot] of Object.entries(this.#slots.slots)) {
      const record = slot.versions.find(({ stage }) => stage === 'verified');
      if (record) return { id, record };
    }
    return undefined;
  }

  async #vetIn(place: BundlePlace): Promise<VetAnswer> {
    const { bench, robot, trust, wall } = this.#parts;
    const entries = [...trust.keys.values()].map(({ publicKey, role, name }) => trustEntry(publicKey, role, name));
    return (await bench.ask({ do: 'vet', ...place, robot, trust: entries, now: wall() }, PATIENCE)) as VetAnswer;
  }

  /** A folder from the gateway. */
  async #examine(folder: string): Promise<void> {
    const { bench, config, incoming, store, wall } = this.#parts;
    let answer: VetAnswer;
    try {
      answer = await this.#vetIn({ base: incoming, name: folder });
    } catch (error) {
      return this.#refuseStranger({ id: folder, version: 0, sha256: '' }, folder, [`process: ${messageOf(error)}`]);
    }
    const { summary } = answer;
    if (!summary) return this.#refuseStranger(answer, folder, answer.reasons);
    const reasons = this.#ownReasons(summary, config);
    if (reasons.length > 0) return this.#refuseStranger(answer, folder, reasons);
    const outcome = versions.verified(this.#slots, summary, this.#trusted, wall());
    if (versions.isRefused(outcome)) {
      const known = versions.recordOf(this.#slots, summary.id, summary.version);
      if (known?.manifest === summary.manifest) this.#folders.set(keyOf(summary.id, summary.version), folder);
      else this.#refuseStranger(answer, folder, [outcome.refused]);
      return;
    }
    try {
      await bench.ask(
        {
          do: 'store',
          directory: store.folderOf(summary.id, summary.version),
          root: store.root,
          most: config.policyUpdates.maxMegabytes * 1e6,
        },
        PATIENCE,
      );
    } catch (error) {
      return this.#refuseStranger(answer, folder, [`store: ${messageOf(error)}`]);
    }
    // Whatever has become of other versions meanwhile, this one is still above them: one bundle is looked at at a time.
    const stored = versions.verified(this.#slots, summary, this.#trusted, wall());
    if (versions.isRefused(stored)) return this.#refuseStranger(answer, folder, [stored.refused]);
    this.#folders.set(keyOf(summary.id, summary.version), folder);
    if (!(await this.#keep(stored))) {
      this.#slots = versions.refused(stored, summary.id, summary.version, [this.#notKept()], wall());
      return this.#say(summary.id, summary.version);
    }
    this.#say(summary.id, summary.version);
    await this.#test(summary);
  }

  /** A version that lies in the store, and is not tested. */
  async #again(untested: { readonly id: string; readonly record: versions.VersionRecord } | undefined): Promise<void> {
    if (!untested) return;
    const { id, record } = untested;
    const summary = await this.#fromStore(id, record);
    if (typeof summary !== 'string') return await this.#test(summary);
    await this.#refuse(id, record.version, [summary]);
  }

  async #fromStore(id: string, { version, manifest }: versions.VersionRecord): Promise<BundleSummary | string> {
    const { summary, reasons } = await this.#vetIn({ base: this.#parts.store.baseOf(id), name: String(version) });
    if (!summary) return reasons.join('; ');
    return summary.manifest === manifest ? summary : 'store: the bundle on the disk is not the one that was verified';
  }

  #ownReasons({ id, observationSize }: BundleSummary, config: Config): string[] {
    const { policyAllowList } = config;
    const reasons: string[] = [];
    if (policyAllowList.length > 0 && !policyAllowList.includes(id)) {
      reasons.push('not-allowed: it is not on policyAllowList of the configuration');
    }
    if (observationSize > MAX_OBSERVATION) {
      reasons.push(`observation: longer than the ${MAX_OBSERVATION} numbers that a row can hold`);
    }
    return reasons;
  }

  readonly #trusted = (keyId: string): boolean => this.#parts.trust.keys.has(keyId);

  /** Self-test and replay of the bundle that was vetted last. */
  async #test({ id, version, rate }: BundleSummary): Promise<void> {
    const { bench, config, robot, wall } = this.#parts;
    const budgetUs = (config.policyLatencyBudget * 1e6) / rate;
    try {
      const tested = (await bench.ask({ do: 'self-test', budgetUs }, PATIENCE)) as SelfTestAnswer;
      if (tested.reasons.length > 0) return await this.#refuse(id, version, tested.reasons);
      await this.#pass(id, version, 'self-tested', { selfTest: tested.found });
      for (const piece of this.rows.pieces()) {
        await this.quiet.next();
        await bench.ask({ do: 'rows', rows: Buffer.concat(piece) }, PATIENCE);
      }
      const replayed = (await bench.ask({ do: 'replay', robot, rate: this.#parts.rate() }, PATIENCE)) as ReplayAnswer;
      if (replayed.reasons.length > 0) return await this.#refuse(id, version, replayed.reasons);
      await this.#pass(id, version, 'replayed', { replayed: replayed.found });
      await this.#pass(id, version, 'eligible', {});
    } catch (error) {
      return await this.#refuse(id, version, [`self-test: ${messageOf(error)}`]);
    }
    await this.#prune(wall());
    if (config.policyUpdates.activation === 'after-shadow') await this.#beginShadow(id, version);
  }

  async #pass(
    id: string,
    version: number,
    stage: 'self-tested' | 'replayed' | 'eligible',
    found: object,
  ): Promise<void> {
    const after = versions.passed(this.#slots, id, version, stage, this.#parts.wall(), found);
    if (versions.isRefused(after)) throw new Error(after.refused);
    if (!(await this.#keep(after))) throw new Error(this.#notKept());
    this.#say(id, version);
  }

  async #refuse(id: string, version: number, reasons: readonly string[]): Promise<void> {
    const { store, wall } = this.#parts;
    await this.#keep(versions.refused(this.#slots, id, version, reasons, wall()));
    this.#say(id, version);
    await store.remove(id, version).catch(() => undefined);
  }

  async #prune(now: number): Promise<void> {
    for (const { id, version } of versions.unwanted(this.#slots, this.#parts.config.policyUpdates.keepVersions)) {
      await this.#parts.store.remove(id, version).catch(() => undefined);
      await this.#keep(versions.removed(this.#slots, id, version, now));
    }
  }

  // --- shadow -------------------------------------------------------------------------------------------------------

  async #beginShadow(id: string, version: number): Promise<string | undefined> {
    const { bench, config, robot, rate, wall } = this.#parts;
    const record = versions.recordOf(this.#slots, id, version);
    if (record?.from !== 'store') return `unknown: there is no version ${version} of ${id} in the store`;
    if (this.#shadow) return `shadow: version ${this.#shadow.version} of ${this.#shadow.id} runs as one`;
    if (record.stage !== 'eligible') return `stage: version ${version} of ${id} is ${record.stage}, not eligible`;
    if (!bench.isUp) {
      if (this.#isArmed) return 'process: it can only be started while the robot is not armed';
      bench.start();
    }
    try {
      const summary = await this.#fromStore(id, record);
      if (typeof summary === 'string') return summary;
      const framesPerDecision = decimation(rate(), summary.rate);
      if (framesPerDecision === undefined) return `rate: ${summary.rate} Hz does not divide ${rate()} Hz`;
      await bench.ask({ do: 'shadow', robot, rate: rate() }, PATIENCE);
      const after = versions.shadowed(this.#slots, id, version, wall());
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
      await this.#keep(after);
      this.#say(id, version);
      return undefined;
    } catch (error) {
      return `process: ${messageOf(error)}`;
    }
  }

  #dropShadow(reasons: readonly string[]): void {
    const shadow = this.#shadow;
    if (!shadow) return;
    this.#shadow = undefined;
    const { bench, wall } = this.#parts;
    void bench.ask({ do: 'unshadow' }, PATIENCE).catch(() => undefined);
    void this.#keep(versions.unshadowed(this.#slots, shadow.id, shadow.version, reasons, wall()));
    this.#say(shadow.id, shadow.version);
  }

  #completeShadow(shadow: Shadow): void {
    const reasons = shadow.verdict();
    if (reasons.length > 0) {
      this.#dropShadow(reasons);
      return;
    }
    this.#shadow = undefined;
    const { bench, config, wall } = this.#parts;
    const { id, version, report } = shadow;
    void bench.ask({ do: 'unshadow' }, PATIENCE).catch(() => undefined);
    void this.#keep(versions.unshadowed(this.#slots, id, version, [], wall(), report));
    this.#say(id, version);
    if (config.policyUpdates.activation === 'after-shadow') this.#due = { id, version };
  }

  // --- in charge ----------------------------------------------------------------------------------------------------

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
    if (versions.recordOf(this.#slots, id, version)?.shadow === undefined) {
      return `not-shadowed: ${id} is in charge; version ${version} has to run beside it first, or the robot be disarmed`;
    }
    return undefined;
  }

  async #activate(id: string, version: number, byRule = false): Promise<Refusal | undefined> {
    if (this.#activating) return told('under-way: another version is being activated');
    const against = versions.activatable(this.#slots, id, version) ?? this.#momentAgainst(id, version, byRule);
    if (against !== undefined) return told(against);
    this.#activating = true;
    try {
      const policy = await this.#open(id, version);
      if (typeof policy === 'string') {
        await this.#refuse(id, version, [policy]);
        return told(policy);
      }
      // What has happened while it was read counts.
      const late = this.#momentAgainst(id, version, byRule);
      if (late !== undefined) return told(late);
      if (this.#shadow?.id === id && this.#shadow.version === version) this.#dropShadow(['activated: it takes over']);
      const after = versions.activated(this.#slots, id, version, this.#parts.wall());
      if (versions.isRefused(after)) return told(after.refused);
      const { previous } = versions.slotOf(after, id);
      // On the disk first: a crash from here on finds a trial, and begins with the version before.
      if (!(await this.#keep(after))) {
        this.#rollBack(id, this.#notKept(), false);
        return told(this.#notKept());
      }
      const { trial } = this.#slots;
      if (trial?.id !== id || trial.version !== version)
        return told('overtaken: another order came while it was written down');
      const tooLate = this.#momentAgainst(id, version, byRule);
      if (tooLate !== undefined) {
        this.#rollBack(id, tooLate, false);
        return told(tooLate);
      }
      this.#takeOver(id, version, previous, policy);
      return undefined;
    } finally {
      this.#activating = false;
    }
  }

  #takeOver(id: string, version: number, previous: number | null, policy: PolicyRunner): void {
    const { config, control, policies, robot } = this.#parts;
    this.#opened.set(keyOf(id, version), { policy });
    for (const key of [...this.#opened.keys()]) {
      if (key.startsWith(`${id} `) && ![version, previous].some((kept) => key === keyOf(id, kept ?? 0)))
        this.#opened.delete(key);
    }
    const before = policies.get(id);
    this.#trial = new Trial({
      id,
      hash: policy.hash,
      wanted: config.policyUpdates.trialSeconds,
      limitedBefore: this.#tally.share(before?.hash),
      robot,
    });
    policies.set(id, policy);
    control.policyChanged(id);
    this.#say(id, version);
  }

  /** A version that can run at once, made in moments after commands. */
  async #open(id: string, version: number): Promise<PolicyRunner | string> {
    const opened = this.#opened.get(keyOf(id, version));
    const { store, trust, wall, rate, robot } = this.#parts;
    const record = versions.recordOf(this.#slots, id, version);
    if (!record) return `unknown: there is no version ${version} of ${id}`;
    let policy = opened?.policy;
    if (!policy) {
      const bundle = await store.load(id, record, trust);
      if (typeof bundle === 'string') return bundle;
      if (bundle.manifest.robot !== robot.name) return `robot: made for "${bundle.manifest.robot}"`;
      await this.quiet.next();
      policy = await openPolicy(bundle);
      for (let run = 0; run < WARM_RUNS; run++) {
        await this.quiet.next();
        await policy.decide({ x: 0, v: 0, pitch: 0, pitchRate: 0 }, 0).catch(() => undefined);
      }
    }
    if (!(wall() < policy.expires)) return 'expired: no robot starts it any more';
    if (decimation(rate(), policy.rate) === undefined) return `rate: ${policy.rate} Hz does not divide ${rate()} Hz`;
    return policy;
  }

  /** In memory and for the next frame at once; then on the disk. @returns why not */
  #rollBack(id: string, reason: string, failed: boolean): string | undefined {
    const { control, policies, wall } = this.#parts;
    const { active } = versions.slotOf(this.#slots, id);
    const after = versions.rolledBack(this.#slots, { id, reason, failed }, wall());
    if (versions.isRefused(after)) return after.refused;
    const back = versions.slotOf(after, id).active;
    const opened = back === null ? undefined : this.#opened.get(keyOf(id, back));
    if (this.#trial?.id === id) this.#trial = undefined;
    const changes = policies.get(id) !== opened?.policy;
    if (opened) policies.set(id, opened.policy);
    else policies.delete(id);
    if (changes) control.policyChanged(id);
    void this.#keep(after);
    if (active !== null) this.#say(id, active);
    if (back !== null) this.#say(id, back);
    return undefined;
  }

  #commit(): void {
    const trial = this.#trial;
    this.#trial = undefined;
    if (!trial) return;
    const { wall, file } = this.#parts;
    const { active, previous } = versions.slotOf(this.#slots, trial.id);
    const before = this.#slots;
    const after = versions.committed(before, wall());
    // It is not called committed before a power cut could no longer take that back.
    const kept = file.save(after).then(() => {
      if (this.#slots === before) this.#slots = after;
      else void this.#keep(versions.committed(this.#slots, wall()));
      for (const version of [active, previous]) if (version !== null) this.#say(trial.id, version);
    });
    this.#last = Promise.all([this.#last, kept]);
  }

  #activateIfDue(): void {
    const due = this.#due;
    this.#sinceDue += 1;
    if (!due || this.#activating || this.#sinceDue % 10 !== 0) return;
    const { stage } = versions.recordOf(this.#slots, due.id, due.version) ?? {};
    // Somebody has decided otherwise.
    if (stage !== 'eligible') this.#due = undefined;
    else if (versions.activatable(this.#slots, due.id, due.version) === undefined) {
      this.#last = this.#activate(due.id, due.version, true);
    }
  }

  // --- what is kept and told ----------------------------------------------------------------------------------------

  #keep(slots: versions.Slots): Promise<boolean> {
    this.#slots = slots;
    const kept = this.#parts.file.save(slots);
    this.#last = Promise.all([this.#last, kept]);
    return kept;
  }

  #notKept(): string {
    return `disk: it cannot be written down: ${this.#parts.file.problem}`;
  }

  #refuseStranger(
    { id, version, sha256 }: Pick<PolicyVersion, 'id' | 'version' | 'sha256'>,
    folder: string,
    reasons: readonly string[],
  ): void {
    const since = this.#parts.wall();
    const nothing = { since, folder, active: false, previous: false };
    // A stranger's bundle may have any number of things wrong with it, and each in many words.
    const told = reasons.slice(0, MOST_REASONS).map((reason) => reason.slice(0, LONGEST_REASON));
    this.#strangers.unshift({ id, version, sha256, stage: 'refused', reasons: told, ...nothing });
    this.#strangers.length = Math.min(this.#strangers.length, MOST_STRANGERS);
    this.#tell({ event: 'policy-offer-refused', id, version, folder, reasons: told });
  }

  #say(id: string, version: number): void {
    const record = versions.recordOf(this.#slots, id, version);
    if (!record) return;
    const { stage, reasons, sha256, keyId } = record;
    this.#tell({ event: 'policy-update', id, version, stage, reasons, sha256, keyId });
  }

  #tell(event: ControlEvent): void {
    this.#parts.tell(event);
  }

  /** For the status: by id, newest first; then what was refused at the door, and what waits before it. */
  report(): PolicyVersion[] {
    const known = Object.entries(this.#slots.slots).flatMap(([id, { versions: records, active, previous }]) =>
      [...records]
        .sort((a, b) => b.version - a.version)
        .map(({ version, sha256, stage, reasons, since, keyId, selfTest, replayed, shadow }): PolicyVersion => {
          const folder = this.#folders.get(keyOf(id, version));
          const runs = this.#shadow?.id === id && this.#shadow.version === version ? this.#shadow.report : shadow;
          const trial = this.#trial?.id === id && active === version ? this.#trial.report : undefined;
          return {
            ...{ id, version, sha256, stage, reasons: [...reasons], since, keyId },
            active: version === active,
            previous: version === previous,
            ...(folder !== undefined && { folder }),
            ...(selfTest && { selfTest }),
            ...(replayed && { replayed }),
            ...(runs && { shadow: runs }),
            ...(trial && { trial }),
          };
        }),
    );
    const waiting = this.#waiting.map((folder): PolicyVersion => {
      const reasons = this.#parts.bench.isUp ? [] : ['waits: what tries policies starts while the robot is not armed'];
      const nothing = { version: 0, sha256: '', since: 0, active: false, previous: false };
      return { id: folder, ...nothing, stage: 'downloaded', reasons, folder };
    });
    return [...known, ...waiting, ...this.#strangers];
  }
}

/** Of an opened policy. */
export const keyOf = (id: string, version: number): string => `${id} ${version}`;

const refusalOf = (code: string, message: string, remedy: string): Refusal => ({ code, message, remedy });

/** A reason, "code: words", as a refusal. */
function told(reason: string | undefined): Refusal | undefined {
  if (reason === undefined) return undefined;
  const [code = ''] = reason.split(':');
  return refusalOf(`policy-${code}`, reason, 'see `policies` in `h2o-edge status --json`, and docs/policies.md');
}
