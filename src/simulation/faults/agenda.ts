/** Things to come in MCU time [µs]; what is due at the same instant happens in the order in which it was put down. */
export class Agenda {
  readonly #entries: { readonly at: number; readonly act: () => void }[] = [];

  /** `act` happens once `tick` is told of that time or a later one. */
  at(time: number, act: () => void): void {
    const after = this.#entries.findIndex((entry) => entry.at > time);
    this.#entries.splice(after < 0 ? this.#entries.length : after, 0, { at: time, act });
  }

  /** Time has come so far. What an entry puts down for now happens in the same call. */
  tick(now: number): void {
    for (let next = this.#entries[0]; next && next.at <= now; next = this.#entries[0]) {
      this.#entries.shift();
      next.act();
    }
  }
}
