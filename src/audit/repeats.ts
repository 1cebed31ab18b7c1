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
  /** how many more are written at once; whole ones count */
  allowed: number;
  /** when `allowed` was last brought up to date [ms] */
  at: number;
  /** when what was counted is written next [ms] */
  due: number;
  pause: number;
}

/** So many of a kind are written at once, */
export const BURST = 3;
/** and one more for each ten minutes [ms]. */
const REFILL = 600_000;
/** How long what is counted waits, at first [ms]; doubled as long as it goes on. */
export const FIRST_PAUSE = 10_000;
const LONGEST_PAUSE = 3_600_000;
/** Kinds that are counted at a time; what is of one more kind is counted under `OTHERS`. */
const MOST_KINDS = 64;
export const OTHERS = 'others';

/**
 * Lets the first few of a kind through at once and counts the others: for ten seconds, then for twenty, and for an hour at
 * most. A flood that lasts for days writes some lines an hour, and drives nothing out of the log.
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
    let open = this.#open.get(known);
    if (!open) {
      open = {
        latest: value,
        repeats: 0,
        since: now,
        allowed: BURST,
        at: now,
        due: now + FIRST_PAUSE,
        pause: FIRST_PAUSE,
      };
      this.#open.set(known, open);
    }
    refill(open, now);
    open.latest = value;
    if (open.allowed >= 1) {
      open.allowed -= 1;
      this.#write(known, value);
    } else {
      if (open.repeats === 0) open.since = now;
      open.repeats += 1;
    }
  }

  /** To be called every second or so. */
  sweep(): void {
    const now = this.#now();
    for (const [kind, open] of this.#open) {
      refill(open, now);
      if (open.repeats === 0 && open.allowed >= BURST) this.#open.delete(kind);
      if (open.repeats === 0 || now < open.due) continue;
      this.#tell(kind, open);
      open.repeats = 0;
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

function refill<T>(open: Open<T>, now: number): void {
  open.allowed = Math.min(BURST, open.allowed + (now - open.at) / REFILL);
  open.at = now;
}
