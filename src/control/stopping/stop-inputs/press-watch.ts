import type { ButtonNews } from './button-events.ts';

/** What somebody wants who has pressed a button. */
export type Press = { readonly kind: 'stop'; readonly why: string } | { readonly kind: 'confirm' };

export interface PressWatchOptions {
  /** that stop; none: all but those that confirm */
  readonly buttons: readonly number[];
  /** that confirm a reset */
  readonly confirmButtons: readonly number[];
}

/**
 * Tells a press from what only looks like one. How a button is found when its device is opened is no press; one that was
 * known to be up and is down after events were lost is.
 */
export class PressWatch {
  readonly #stop: ReadonlySet<number>;
  readonly #confirm: ReadonlySet<number>;
  readonly #down = new Map<number, boolean>();

  constructor({ buttons, confirmButtons }: PressWatchOptions) {
    this.#stop = new Set(buttons);
    this.#confirm = new Set(confirmButtons);
  }

  /** Buttons that stop and are down now. */
  get held(): number[] {
    return [...this.#down].filter(([button, down]) => down && this.#stops(button)).map(([button]) => button);
  }

  /** What the news come to. A stop among them is all that counts: what was confirmed was not that one. */
  see({ changes, lost }: ButtonNews): Press | undefined {
    let why: string | undefined;
    let confirmed = false;
    for (const { button, pressed, initial } of changes) {
      const before = this.#down.get(button);
      this.#down.set(button, pressed);
      if (!pressed || (initial && before !== false)) continue;
      if (this.#stops(button)) why ??= `button ${button}`;
      // Only what surely has just been pressed.
      else if (this.#confirm.has(button) && !initial && before !== true) confirmed = true;
    }
    if (lost) why ??= 'events were lost, and a press may be among them';
    if (why !== undefined) return { kind: 'stop', why };
    return confirmed ? { kind: 'confirm' } : undefined;
  }

  #stops(button: number): boolean {
    return !this.#confirm.has(button) && (this.#stop.size === 0 || this.#stop.has(button));
  }
}
