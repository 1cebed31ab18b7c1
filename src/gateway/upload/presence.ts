/** Trainers that say of themselves that they are there. */
export class Presence {
  readonly #allowed: readonly string[];
  readonly #online = new Set<string>();

  /** @param allowed names; empty: any */
  constructor(allowed: readonly string[]) {
    this.#allowed = allowed;
  }

  isAllowed(trainer: string): boolean {
    return this.#allowed.length === 0 || this.#allowed.includes(trainer);
  }

  /** A trainer said something of itself. @returns whether it has just come */
  heard(trainer: string, online: boolean): boolean {
    if (!online) {
      this.#online.delete(trainer);
      return false;
    }
    if (!this.isAllowed(trainer) || this.#online.has(trainer)) return false;
    this.#online.add(trainer);
    return true;
  }

  has(trainer: string): boolean {
    return this.#online.has(trainer);
  }

  get anybody(): boolean {
    return this.#online.size > 0;
  }

  /** The connection is gone: nothing is known of anybody. */
  clear(): void {
    this.#online.clear();
  }
}
