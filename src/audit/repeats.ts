/** Something that happens again and again. */
export interface Repeated<T> {
  /** what came last */
  readonly latest: T;
  /** times since it was last written */
  readonly repeats: number;
  /** since when it is counted [ms, monotonic] */
  readonly since: number;
}

interface Open<T> {
  latest: T;
  repeats: number;
  since: number;
  /** when it is written next [ms] */
  due: number;
  pause: number;
}

/** How long the second of a kind waits, for others to be counted with [ms]; doubled as long as it goes on. */
export const FIRST_PAUSE = 10_000;
const LONGEST_PAUSE = 3_600_000;
/** Kinds that are counted at a time; what is of one more kind is counted under `OTHERS`. */
const MOST_KINDS = 64;
export const OTHERS = 'others';

/**
 * Lets the first of a kind through at once and counts the others, for ten seconds, then for twenty, and for an hour at
 * most: a flood that lasts for days writes a line an hour and drives nothing out of the log.
 */
export class Repeats<T> {
  readonly #write: (kind: string, once: T) => void;
  readonly #summarise: (kind: string, repeated: Repeated<T>) => void;
  readonly #now: () => number;
  readonly #open = new Map<string, Open<T>>();

  constructor(parts: {
    readonly write: (kind: string, once: T) => void;
    readonly summarise: (kind: string, repeated: Repeated<T>) => void;
    readonly now: () => number;
  }) {
    this.#write = parts.write;
    this.#summarise = parts.summarise;
    this.#now = parts.now;
  }

  take(kind: string, value: T): void {
    const now = this.#now();
    const known = this.#open.has(kind) || this.#open.size < MOST_KINDS ? kind : OTHERS;
    const open = this.#open.get(known);
    if (open) {
      open.latest = value;
      open.repeats += 1;
      return;
    }
    this.#open.set(known, { latest: value, repeats: 0, since: now, due: now + FIRST_PAUSE, pause: FIRST_PAUSE });
    this.#write(known, value);
  }

  /** To be called every second or so. */
  sweep(): void {
    const now = this.#now();
    for (const [kind, open] of this.#open) {
      if (now < open.due) continue;
      this.#tell(kind, open);
      // One that did not come again begins anew when it does.
      if (open.repeats === 0) this.#open.delete(kind);
      open.repeats = 0;
      open.since = now;
      open.pause = Math.min(2 * open.pause, LONGEST_PAUSE);
      open.due = now + open.pause;
    }
  }

  /** What was counted until now, before the end. */
  flush(): void {
    for (const [kind, open] of this.#open) this.#tell(kind, open);
    this.#open.clear();
  }

  #tell(kind: string, { latest, repeats, since }: Open<T>): void {
    if (repeats > 0) this.#summarise(kind, { latest, repeats, since });
  }
}
