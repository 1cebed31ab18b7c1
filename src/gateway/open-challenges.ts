/** Life of a challenge in control [ms], with some to spare. */
const CHALLENGE_LIFE = 11_000;

/** Control keeps sixteen open challenges for one connection and drops the oldest for a new one. */
const MOST_OPEN = 12;

/** Counts the challenges that may still be open in control, so that none of ours is pushed out by another of ours. */
export class OpenChallenges {
  readonly #now: () => number;
  #expiries: number[] = [];

  /** @param now monotonic [ms] */
  constructor(now: () => number) {
    this.#now = now;
  }

  get full(): boolean {
    const now = this.#now();
    this.#expiries = this.#expiries.filter((expiry) => expiry > now);
    return this.#expiries.length >= MOST_OPEN;
  }

  issued(): void {
    this.#expiries.push(this.#now() + CHALLENGE_LIFE);
  }

  /** One was redeemed; which one is not known here, so the one that would expire first is taken off. */
  used(): void {
    this.#expiries.shift();
  }
}
