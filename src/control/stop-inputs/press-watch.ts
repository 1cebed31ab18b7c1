import type { ButtonNews } from './button-events.ts';

/**
 * Tells a press from what only looks like one. How a button is found when its device is opened is no press; one that was
 * known to be up and is down after events were lost is.
 */
export class PressWatch {
  readonly #wanted: ReadonlySet<number>;
  readonly #down = new Map<number, boolean>();

  /** @param buttons that count; none: all */
  constructor(buttons: readonly number[]) {
    this.#wanted = new Set(buttons);
  }

  /** Buttons that count and are down now. */
  get held(): number[] {
    return [...this.#down].filter(([, down]) => down).map(([button]) => button);
  }

  /** @returns why to stop, or `undefined` */
  see({ changes, lost }: ButtonNews): string | undefined {
    let why: string | undefined;
    for (const { button, pressed, initial } of changes) {
      if (this.#wanted.size > 0 && !this.#wanted.has(button)) continue;
      const before = this.#down.get(button);
      this.#down.set(button, pressed);
      if (pressed && (!initial || before === false)) why ??= `button ${button}`;
    }
    return why ?? (lost ? 'events were lost, and a press may be among them' : undefined);
  }
}
