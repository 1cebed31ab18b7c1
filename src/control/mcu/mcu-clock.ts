import { ClockOffset, type Offset } from '../../protocol/clock-offset.ts';
import type { Actuated } from '../tick.ts';

/** Sequences of `sensors` frames that a command may answer (PROTOCOL.md §6.1). */
const REMEMBERED = 64;

/**
 * The MCU's clock beside the host's (PROTOCOL.md §10), for whoever reads both in a log. Fed once a tick, after its command
 * has gone out.
 */
export class McuClock {
  readonly #offset = new ClockOffset();
  /** host time at which each of the latest frames had arrived [µs], by wire sequence modulo 64 */
  readonly #arrivals = new Float64Array(REMEMBERED).fill(Number.NaN);
  #answered = -1;

  observe({ sensors, wireSequence, mcuTimeUs, arrivedNs, first }: Actuated): void {
    if (first) this.#restart();
    const arrived = Number(arrivedNs / 1000n);
    this.#offset.arrived(mcuTimeUs, arrived);
    // A command was built after its frame had arrived: a little less than what is known, and never too much.
    const built = this.#arrivals[sensors.answered % REMEMBERED];
    if (sensors.commandFresh && sensors.answered !== this.#answered && built !== undefined && !Number.isNaN(built)) {
      this.#answered = sensors.answered;
      this.#offset.answered(mcuTimeUs, built);
    }
    this.#arrivals[wireSequence % REMEMBERED] = arrived;
  }

  /** Host's monotonic clock − MCU's, as of the latest frame; undefined until a command was confirmed. */
  get offset(): Offset | undefined {
    return this.#offset.estimate;
  }

  #restart(): void {
    this.#offset.reset();
    this.#arrivals.fill(Number.NaN);
    this.#answered = -1;
  }
}
