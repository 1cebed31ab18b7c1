import type { ControlEvent } from '../robot-control.ts';
import type { PolicyUpdatesParts } from './parts.ts';
import * as versions from './slots.ts';

/** What is known of all versions, in memory and on the disk, and what is told of each. */
export class Ledger {
  /** as they are in memory; see `keep` */
  slots: versions.Slots;
  /** resolves when the work that was begun last is done; see `settled` */
  underWay: Promise<unknown> = Promise.resolve();
  readonly #parts: Pick<PolicyUpdatesParts, 'file' | 'tell'>;

  constructor(parts: Pick<PolicyUpdatesParts, 'file' | 'tell'>, slots: versions.Slots) {
    this.#parts = parts;
    this.slots = slots;
  }

  /** In memory at once, then on the disk. @returns whether it is there */
  keep(slots: versions.Slots): Promise<boolean> {
    this.slots = slots;
    const kept = this.write(slots);
    this.alsoUnderWay(kept);
    return kept;
  }

  /** On the disk alone, for what is not to be true before it is there. @returns whether it is */
  write(slots: versions.Slots): Promise<boolean> {
    return this.#parts.file.save(slots);
  }

  /** The reason when `keep` has failed. */
  notKept(): string {
    return `disk: it cannot be written down: ${this.#parts.file.problem}`;
  }

  say(id: string, version: number): void {
    const record = versions.recordOf(this.slots, id, version);
    if (!record) return;
    const { stage, reasons, sha256, keyId } = record;
    this.tell({ event: 'policy-update', id, version, stage, reasons, sha256, keyId });
  }

  tell(event: ControlEvent): void {
    this.#parts.tell(event);
  }

  alsoUnderWay(work: Promise<unknown>): void {
    this.underWay = Promise.all([this.underWay, work]);
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    for (let before: unknown; before !== this.underWay; ) {
      before = this.underWay;
      await this.underWay;
    }
  }
}
