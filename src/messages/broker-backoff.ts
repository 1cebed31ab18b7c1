/** First and longest wait before the next attempt to connect [ms]. */
const FIRST = 500;
const LONGEST = 30_000;
/** As above, after another client came with the same id. */
const FIRST_AFTER_TAKEOVER = 60_000;
const LONGEST_AFTER_TAKEOVER = 15 * 60_000;

/** Not every broker says that another client came with the same id (mosquitto 2.0.11 just closes): after so many */
const SUSPICIOUS = 3;
/** connections in a row that lived no longer than this, it is taken for granted [ms]. */
const SHORT_LIFE = 30_000;

/** How long to wait before the next attempt to connect. */
export class BrokerBackoff {
  readonly #random: () => number;
  #failures = 0;
  #takeovers = 0;
  /** connections in a row that did not last */
  #shortLived = 0;

  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** The connection was up for so long [ms]. @returns whether others must be taking it away */
  lived(duration: number): boolean {
    if (duration >= SHORT_LIFE) {
      this.#failures = 0;
      this.#shortLived = 0;
      return false;
    }
    this.#shortLived += 1;
    return this.#shortLived >= SUSPICIOUS;
  }

  /** Doubles; spread by half, so that a fleet does not come back in one instant. @returns [ms] */
  afterFailure(): number {
    const wait = Math.min(LONGEST, FIRST * 2 ** this.#failures);
    this.#failures += 1;
    return wait * (0.5 + 0.5 * this.#random());
  }

  /**
   * Two gateways with one name would take the connection from each other for ever: this one steps back, longer each time.
   * @returns [ms]
   */
  afterTakeover(): number {
    const wait = Math.min(LONGEST_AFTER_TAKEOVER, FIRST_AFTER_TAKEOVER * 2 ** this.#takeovers);
    this.#takeovers += 1;
    this.#shortLived = 0;
    return wait * (1 + this.#random());
  }
}
