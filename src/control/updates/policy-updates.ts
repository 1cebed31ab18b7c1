import type { PolicyVersion } from '../../messages/policy-updates.ts';
import type { Command, Refusal } from '../../messages/requests.ts';
import type { PolicyRunner } from '../controllers/policy-runner.ts';
import type { PolicyOrders } from '../socket/requests.ts';
import type { Actuated } from '../tick.ts';
import { InCharge } from './in-charge.ts';
import { Ledger } from './ledger.ts';
import type { PolicyUpdatesParts } from './parts.ts';
import { QuietMoments } from './quiet.ts';
import { RecentRows } from './recent-rows.ts';
import { Shadowing } from './shadowing.ts';
import * as versions from './slots.ts';
import { Vetting } from './vetting.ts';

/**
 * Versions of policies on this robot, from a folder that the gateway names to a policy in charge and, if need be, back. Whatever
 * takes time is done in the process that tries policies or in a moment after a command; what changes the robot is a word to
 * `RobotControl` between two frames. The rules are in `slots.ts`; who does what is in `vetting.ts`, `shadowing.ts` and
 * `in-charge.ts`; here is when.
 */
export class PolicyUpdates implements PolicyOrders {
  readonly quiet = new QuietMoments();
  readonly rows = new RecentRows();
  readonly #ledger: Ledger;
  readonly #vetting: Vetting;
  readonly #shadowing: Shadowing;
  readonly #inCharge: InCharge;

  /** @param slots as `loadVersions` found them @param opened by `keyOf` */
  constructor(parts: PolicyUpdatesParts, slots: versions.Slots, opened: ReadonlyMap<string, PolicyRunner>) {
    const { quiet, rows } = this;
    const isByRule = parts.config.policyUpdates.activation === 'after-shadow';
    const ledger = new Ledger(parts, slots);
    const vetting = new Vetting({
      ...parts,
      ...{ ledger, quiet, rows },
      onEligible: async (id, version) => {
        if (isByRule) await this.#shadowing.begin(id, version);
      },
    });
    const shadowing = new Shadowing({
      ...parts,
      ...{ ledger, vetting },
      onComplete: (id, version) => {
        if (isByRule) this.#inCharge.activateSoon(id, version);
      },
    });
    this.#ledger = ledger;
    this.#vetting = vetting;
    this.#shadowing = shadowing;
    this.#inCharge = new InCharge({ ...parts, ledger, quiet, vetting, shadowing }, opened);
  }

  /** For tests and for an orderly end: resolves when nothing is under way. */
  settled(): Promise<void> {
    return this.#ledger.settled();
  }

  get slots(): versions.Slots {
    return this.#ledger.slots;
  }

  // --- orders -------------------------------------------------------------------------------------------------------

  vet(folder: string): Refusal | undefined {
    return this.#vetting.vet(folder);
  }

  async obey({ action, id, version }: Extract<Command, { name: 'policy' }>): Promise<Refusal | undefined> {
    switch (action) {
      case 'activate':
        return told(await this.#inCharge.activate(id, version));
      case 'rollback': {
        const { previous } = versions.slotOf(this.slots, id);
        if (previous !== version) return told(`previous: version ${previous ?? 'none'} is what ${id} returns to`);
        return told(this.#inCharge.rollBack(id, 'operator: by an order', false));
      }
      case 'shadow':
        return told(await this.#shadowing.begin(id, version));
      case 'unshadow':
        if (!this.#shadowing.runs(id, version)) return told('shadow: it does not run as one');
        this.#shadowing.drop(['operator: by an order']);
        return undefined;
    }
  }

  // --- frames -------------------------------------------------------------------------------------------------------

  /** A command has gone out. */
  frame(tick: Actuated): void {
    this.#inCharge.frame(tick);
    this.#shadowing.frame(tick);
    this.quiet.commandSent();
  }

  /** To be called a few times a second: also where no frames come. */
  tick(): void {
    this.quiet.tick();
    this.#vetting.workSoon();
    this.#inCharge.activateIfDue();
  }

  /** Whatever has happened to the robot without a frame. */
  stateChanged(): void {
    this.#inCharge.stateChanged();
  }

  // --- what is told -------------------------------------------------------------------------------------------------

  /** For the status: by id, newest first; then what waits before the door, and what was refused at it. */
  report(): PolicyVersion[] {
    const known = Object.entries(this.slots.slots).flatMap(([id, { versions: records, active, previous }]) =>
      [...records]
        .sort((a, b) => b.version - a.version)
        .map(({ version, sha256, stage, reasons, since, keyId, selfTest, replayed, shadow }): PolicyVersion => {
          const folder = this.#vetting.folderOf(id, version);
          const runs = this.#shadowing.reportOf(id, version) ?? shadow;
          const trial = active === version ? this.#inCharge.trialOf(id) : undefined;
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
    return [...known, ...this.#vetting.report()];
  }
}

/** A reason, "code: words", as a refusal. */
function told(reason: string | undefined): Refusal | undefined {
  if (reason === undefined) return undefined;
  const [code = ''] = reason.split(':');
  return {
    code: `policy-${code}`,
    message: reason,
    remedy: 'see `policies` in `h2o-edge status --json`, and docs/policies.md',
  };
}
