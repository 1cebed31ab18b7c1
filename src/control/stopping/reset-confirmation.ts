import type { Refusal } from '../../messages/requests.ts';
import type { ResetConfirmationState } from '../../messages/status.ts';

export interface ResetConfirmationOptions {
  /** `false`: a signature alone undoes a stop */
  readonly wanted: boolean;
  /** monotonic [ms] */
  readonly now: () => number;
}

/** How long somebody on the robot may answer for what they saw [ms]. */
export const CONFIRMATION_WINDOW = 60_000;

/**
 * Whether somebody on the robot itself has agreed that a stop is undone. Each confirmation is for one stop, that was seen,
 * for one reset, and for a minute; a newer stop, of anyone, voids it. It moves nothing: the signed reset is wanted as well.
 */
export class ResetConfirmation {
  readonly wanted: boolean;
  readonly #now: () => number;
  /** stops so far, repeated ones included */
  #stops = 0;
  #given: { readonly stop: number; readonly until: number } | undefined;

  constructor({ wanted, now }: ResetConfirmationOptions) {
    this.wanted = wanted;
    this.#now = now;
  }

  /** Number of the latest stop of this run of control. */
  get stop(): number {
    return this.#stops;
  }

  /** To be called at every stop, also of a robot that is stopped. */
  stopped(): void {
    this.#stops += 1;
    this.#given = undefined;
  }

  /** @param stop number of the stop that was seen. @returns why not, or `undefined` when it is confirmed */
  confirm(stop: number): Refusal | undefined {
    if (stop !== this.#stops) return ANOTHER_STOP;
    this.#given = { stop, until: this.#now() + CONFIRMATION_WINDOW };
    return undefined;
  }

  get state(): ResetConfirmationState {
    if (!this.wanted) return 'not-wanted';
    const given = this.#given;
    return given !== undefined && given.stop === this.#stops && this.#now() <= given.until ? 'given' : 'wanted';
  }

  /** A stop was undone: what was said of it is used up. */
  used(): void {
    this.#given = undefined;
  }
}

const ANOTHER_STOP: Refusal = {
  code: 'stopped-again',
  message: 'another stop came since this one was seen',
  remedy: 'make the place safe, then confirm again',
};
