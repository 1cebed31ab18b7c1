import { messageOf } from '../../errors.ts';
import { trustEntry } from '../../keys/trust-store.ts';
import type { Config } from '../../messages/config.ts';
import type { PolicyVersion } from '../../messages/policy-updates.ts';
import type { Refusal } from '../../messages/requests.ts';
import { MAX_OBSERVATION } from '../../messages/row.ts';
import { BENCH_PATIENCE } from './bench.ts';
import type { BundlePlace, BundleSummary, ReplayAnswer, SelfTestAnswer, VetAnswer } from './bench-messages.ts';
import type { Ledger } from './ledger.ts';
import type { PolicyUpdatesParts } from './parts.ts';
import type { QuietMoments } from './quiet.ts';
import type { RecentRows } from './recent-rows.ts';
import * as versions from './slots.ts';

export interface VettingParts
  extends Pick<
    PolicyUpdatesParts,
    'bench' | 'config' | 'control' | 'incoming' | 'problem' | 'rate' | 'robot' | 'store' | 'trust' | 'wall'
  > {
  readonly ledger: Ledger;
  readonly quiet: QuietMoments;
  readonly rows: RecentRows;
  /** A version has passed all tests; the next one is looked at once this resolves. */
  readonly onEligible: (id: string, version: number) => Promise<void>;
}

/** Folders that wait to be looked at. */
const MOST_WAITING = 8;
/** Refused bundles that nobody trusted has signed, or whose version was not to be; only the latest are told. */
const MOST_STRANGERS = 16;
const MOST_REASONS = 16;
const LONGEST_REASON = 300;

/**
 * What is on its way: from a folder that the gateway names through the process that tries policies to a version in the store
 * that is eligible, or to a refusal with its reasons. One bundle is looked at at a time.
 */
export class Vetting {
  readonly #parts: VettingParts;
  readonly #ledger: Ledger;
  readonly #waiting: string[] = [];
  readonly #strangers: PolicyVersion[] = [];
  readonly #folders = new Map<string, string>();
  #working = false;

  constructor(parts: VettingParts) {
    this.#parts = parts;
    this.#ledger = parts.ledger;
  }

  /** A bundle lies in this folder of the incoming ones. @returns why it is not looked at */
  vet(folder: string): Refusal | undefined {
    const { problem = '' } = this.#parts;
    if (problem !== '')
      return { code: 'versions-unreadable', message: problem, remedy: 'restore the file, or remove it if you must' };
    if (this.#waiting.includes(folder)) return undefined;
    if (this.#waiting.length >= MOST_WAITING) {
      return {
        code: 'too-many-bundles',
        message: `${MOST_WAITING} bundles are waiting already`,
        remedy: 'wait for what becomes of them',
      };
    }
    this.#waiting.push(folder);
    this.workSoon();
    return undefined;
  }

  /**
   * Starts the process that tries policies, if need be and if it may be: making one stops this process for longer than an
   * armed robot can bear.
   * @returns whether it is up
   */
  readyBench(): boolean {
    const { bench, control } = this.#parts;
    if (bench.isUp) return true;
    const { robotState } = control.safety;
    if (robotState === 'running' || robotState === 'braking') return false;
    bench.start();
    return true;
  }

  /** Begins with the next bundle, unless one is being looked at. */
  workSoon(): void {
    if (this.#working) return;
    const verified = this.#untested();
    if (this.#waiting.length === 0 && verified === undefined) return;
    if (!this.readyBench()) return;
    this.#working = true;
    const [folder] = this.#waiting;
    const work = folder !== undefined ? this.#examine(folder) : this.#again(verified);
    this.#ledger.underWay = work
      .catch((error: unknown) => this.#ledger.tell({ event: 'policy-trouble', problem: messageOf(error) }))
      .finally(() => {
        if (folder !== undefined) this.#waiting.shift();
        this.#working = false;
        this.workSoon();
      });
  }

  /** One whose tests a restart has cut short. */
  #untested(): { readonly id: string; readonly record: versions.VersionRecord } | undefined {
    for (const [id, slot] of Object.entries(this.#ledger.slots.slots)) {
      const record = slot.versions.find(({ stage }) => stage === 'verified');
      if (record) return { id, record };
    }
    return undefined;
  }

  async #vetIn(place: BundlePlace): Promise<VetAnswer> {
    const { bench, robot, trust, wall } = this.#parts;
    const entries = [...trust.keys.values()].map(({ publicKey, role, name }) => trustEntry(publicKey, role, name));
    return (await bench.ask({ do: 'vet', ...place, robot, trust: entries, now: wall() }, BENCH_PATIENCE)) as VetAnswer;
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
    const outcome = versions.verified(this.#ledger.slots, summary, this.#trusted, wall());
    if (versions.isRefused(outcome)) {
      const known = versions.recordOf(this.#ledger.slots, summary.id, summary.version);
      if (known?.manifest === summary.manifest) this.#folders.set(versions.keyOf(summary.id, summary.version), folder);
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
        BENCH_PATIENCE,
      );
    } catch (error) {
      return this.#refuseStranger(answer, folder, [`store: ${messageOf(error)}`]);
    }
    // Whatever has become of other versions meanwhile, this one is still above them: one bundle is looked at at a time.
    const stored = versions.verified(this.#ledger.slots, summary, this.#trusted, wall());
    if (versions.isRefused(stored)) return this.#refuseStranger(answer, folder, [stored.refused]);
    this.#folders.set(versions.keyOf(summary.id, summary.version), folder);
    if (!(await this.#ledger.keep(stored))) {
      this.#ledger.slots = versions.refused(stored, summary.id, summary.version, [this.#ledger.notKept()], wall());
      return this.#ledger.say(summary.id, summary.version);
    }
    this.#ledger.say(summary.id, summary.version);
    await this.#test(summary);
  }

  /** A version that lies in the store, and is not tested. */
  async #again(untested: { readonly id: string; readonly record: versions.VersionRecord } | undefined): Promise<void> {
    if (!untested) return;
    const { id, record } = untested;
    const summary = await this.fromStore(id, record);
    if (typeof summary !== 'string') return await this.#test(summary);
    await this.refuse(id, record.version, [summary]);
  }

  /** Vets a version in the store anew. @returns a text when it is not the one that was verified */
  async fromStore(id: string, { version, manifest }: versions.VersionRecord): Promise<BundleSummary | string> {
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
    const { bench, config, onEligible, quiet, robot, rows, wall } = this.#parts;
    const budgetUs = (config.policyLatencyBudget * 1e6) / rate;
    try {
      const tested = (await bench.ask({ do: 'self-test', budgetUs }, BENCH_PATIENCE)) as SelfTestAnswer;
      if (tested.reasons.length > 0) return await this.refuse(id, version, tested.reasons);
      await this.#pass(id, version, 'self-tested', { selfTest: tested.found });
      for (const piece of rows.pieces()) {
        await quiet.next();
        await bench.ask({ do: 'rows', rows: Buffer.concat(piece) }, BENCH_PATIENCE);
      }
      const replayed = (await bench.ask(
        { do: 'replay', robot, rate: this.#parts.rate() },
        BENCH_PATIENCE,
      )) as ReplayAnswer;
      if (replayed.reasons.length > 0) return await this.refuse(id, version, replayed.reasons);
      await this.#pass(id, version, 'replayed', { replayed: replayed.found });
      await this.#pass(id, version, 'eligible', {});
    } catch (error) {
      return await this.refuse(id, version, [`self-test: ${messageOf(error)}`]);
    }
    await this.#prune(wall());
    await onEligible(id, version);
  }

  async #pass(
    id: string,
    version: number,
    stage: 'self-tested' | 'replayed' | 'eligible',
    found: object,
  ): Promise<void> {
    const after = versions.passed(this.#ledger.slots, id, version, stage, this.#parts.wall(), found);
    if (versions.isRefused(after)) throw new Error(after.refused);
    if (!(await this.#ledger.keep(after))) throw new Error(this.#ledger.notKept());
    this.#ledger.say(id, version);
  }

  /** Its bytes go as well. */
  async refuse(id: string, version: number, reasons: readonly string[]): Promise<void> {
    const { store, wall } = this.#parts;
    await this.#ledger.keep(versions.refused(this.#ledger.slots, id, version, reasons, wall()));
    this.#ledger.say(id, version);
    await store.remove(id, version).catch(() => undefined);
  }

  async #prune(now: number): Promise<void> {
    for (const { id, version } of versions.unwanted(
      this.#ledger.slots,
      this.#parts.config.policyUpdates.keepVersions,
    )) {
      await this.#parts.store.remove(id, version).catch(() => undefined);
      await this.#ledger.keep(versions.removed(this.#ledger.slots, id, version, now));
    }
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
    this.#ledger.tell({ event: 'policy-offer-refused', id, version, folder, reasons: told });
  }

  /** The folder that the gateway named for a version. */
  folderOf(id: string, version: number): string | undefined {
    return this.#folders.get(versions.keyOf(id, version));
  }

  /** For the status: what waits before the door, then what was refused at it. */
  report(): PolicyVersion[] {
    const waiting = this.#waiting.map((folder): PolicyVersion => {
      const reasons = this.#parts.bench.isUp ? [] : ['waits: what tries policies starts while the robot is not armed'];
      const nothing = { version: 0, sha256: '', since: 0, active: false, previous: false };
      return { id: folder, ...nothing, stage: 'downloaded', reasons, folder };
    });
    return [...waiting, ...this.#strangers];
  }
}
