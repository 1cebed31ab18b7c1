import type { StateMessage } from '../messages/mqtt.ts';
import { stateKey } from '../messages/mqtt-state.ts';

/** A state that does not change is repeated [ms]. */
const PERIOD = 2000;

/** Publishes the state at once when it says something new, else now and then. */
export class StatePublisher {
  readonly #publish: (state: StateMessage) => void;
  readonly #now: () => number;
  #key = '';
  #publishedAt = Number.NEGATIVE_INFINITY;

  /** @param now monotonic [ms] */
  constructor(publish: (state: StateMessage) => void, now: () => number) {
    this.#publish = publish;
    this.#now = now;
  }

  /** To be called with every state that becomes known, as often as it does; at least every `PERIOD`. */
  update(state: StateMessage): void {
    const now = this.#now();
    const key = stateKey(state);
    if (key === this.#key && now - this.#publishedAt < PERIOD) return;
    this.#key = key;
    this.#publishedAt = now;
    this.#publish(state);
  }
}
