/**
 * The moments right after a command has gone out, when control has time for what stops it for a moment. One piece of work in
 * each; while no frames come, a timer makes such moments.
 */
export class QuietMoments {
  readonly #waiting: Array<() => void> = [];
  #frames = false;

  /** Resolves in the next one. */
  next(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** A command has gone out. */
  commandSent(): void {
    this.#frames = true;
    this.#waiting.shift()?.();
  }

  /** To be called a few times a second: without frames nothing can come in the way. */
  tick(): void {
    if (!this.#frames) this.#waiting.shift()?.();
    this.#frames = false;
  }
}
