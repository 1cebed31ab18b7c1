import { setTimeout as delay } from 'node:timers/promises';

/** What never became true is an error and not a run that hangs; far above what a busy machine needs [ms]. */
const PATIENCE = 45_000;

type Maybe<T> = T | undefined | false;

/**
 * Looks again and again until there is something to see. Knows nothing of a test runner.
 * @returns what it saw
 */
export async function until<T>(what: string, look: () => Maybe<T> | Promise<Maybe<T>>): Promise<T> {
  const deadline = performance.now() + PATIENCE;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (performance.now() > deadline) throw new Error(`never came true: ${what}`);
    await delay(5);
  }
}
