import { setTimeout as sleep } from 'node:timers/promises';
import { EdgeError } from '../../../errors.ts';

/** Timers take no more [s]. */
const LONGEST = 2_000_000;

/** Waits that end: each within its own time, and all together within that of the demo. */
export class Patience {
  readonly #end: number;
  readonly #broken: Promise<never>;

  /**
   * @param minutes for everything
   * @param broken rejects when there is nothing left to wait for, as when a process has ended
   */
  constructor(minutes: number, broken: Promise<never>) {
    this.#end = performance.now() + 60_000 * minutes;
    this.#broken = broken;
    broken.catch(() => {});
  }

  /** of the demo [s] */
  get left(): number {
    return Math.max(0, (this.#end - performance.now()) / 1000);
  }

  /**
   * Looks again and again until there is something.
   * @param what is waited for, in words that fit behind "for"
   * @param seconds that this may take
   * @param progress what there is instead, for the error
   * @throws EdgeError `scenarioFailed`, which names what did not come
   */
  async until<T>(
    what: string,
    seconds: number,
    look: () => Promise<T | undefined> | T | undefined,
    progress: () => string = () => '',
  ): Promise<T> {
    let isOver = false;
    const looking = async (): Promise<T> => {
      for (;;) {
        const found = await look();
        if (found !== undefined) return found;
        // Whoever waited has been told; nobody is to look for ever.
        if (isOver) throw new EdgeError('scenarioFailed', `nobody waits any more for ${what}`, 'report this');
        await sleep(100);
      }
    };
    try {
      return await this.bound(what, seconds, looking(), progress);
    } finally {
      isOver = true;
    }
  }

  /**
   * The same for something that ends by itself.
   * @throws EdgeError `scenarioFailed`
   */
  async bound<T>(what: string, seconds: number, doing: Promise<T>, progress: () => string = () => ''): Promise<T> {
    // What goes wrong after nobody waits any more has been told already.
    doing.catch(() => {});
    const began = performance.now();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(this.#inVain(what, began, progress())),
        1000 * Math.min(seconds, this.left, LONGEST),
      );
    });
    try {
      return await Promise.race([doing, late, this.#broken]);
    } finally {
      clearTimeout(timer);
    }
  }

  #inVain(what: string, began: number, progress: string): EdgeError {
    const seconds = ((performance.now() - began) / 1000).toFixed(0);
    return new EdgeError(
      'scenarioFailed',
      `waited ${seconds} s in vain for ${what}${progress === '' ? '' : ` (${progress})`}`,
      this.left === 0 ? 'give it more --minutes, or a machine that is less busy' : 'see the complaints above',
    );
  }
}
