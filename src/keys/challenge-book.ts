export interface ChallengeBookOptions {
  /** monotonic clock [ms] */
  readonly now: () => number;
  /** so many unpredictable bytes */
  readonly random: (bytes: number) => Uint8Array;
  /** a challenge is void after this time [ms] */
  readonly lifetimeMs?: number;
  /** open challenges at a time; one more pushes the oldest out */
  readonly capacity?: number;
}

export interface Challenge {
  /** 16 random bytes, base64url */
  readonly challenge: string;
  readonly expiresInMs: number;
}

export type Redemption = 'ok' | 'unknown-or-used' | 'expired';

/**
 * One-time challenges. A signed command must repeat one: so a command cannot be recorded and played again, or kept by a
 * broker, and the robot needs no clock that agrees with the operator's. Memory is bounded by `capacity`.
 */
export class ChallengeBook {
  readonly #now: () => number;
  readonly #random: (bytes: number) => Uint8Array;
  readonly #lifetimeMs: number;
  readonly #capacity: number;
  /** time of issue by challenge, in the order of issue */
  readonly #open = new Map<string, number>();

  constructor({ now, random, lifetimeMs = 10_000, capacity = 16 }: ChallengeBookOptions) {
    this.#now = now;
    this.#random = random;
    this.#lifetimeMs = lifetimeMs;
    this.#capacity = capacity;
  }

  /** None that is open is good any more. */
  forget(): void {
    this.#open.clear();
  }

  issue(): Challenge {
    const oldest = this.#open.keys().next();
    if (this.#open.size >= this.#capacity && !oldest.done) this.#open.delete(oldest.value);
    const challenge = Buffer.from(this.#random(16)).toString('base64url');
    this.#open.set(challenge, this.#now());
    return { challenge, expiresInMs: this.#lifetimeMs };
  }

  /**
   * Uses a challenge up, whatever the answer.
   * @param withinMs a shorter life that the signer asked for [ms since the challenge was issued]
   */
  redeem(challenge: string, withinMs: number = this.#lifetimeMs): Redemption {
    const issuedAt = this.#open.get(challenge);
    if (issuedAt === undefined) return 'unknown-or-used';
    this.#open.delete(challenge);
    return this.#now() - issuedAt <= Math.min(withinMs, this.#lifetimeMs) ? 'ok' : 'expired';
  }
}
