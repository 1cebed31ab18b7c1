import { type Mode, needsHeartbeat } from '../../messages/mode.ts';

/**
 * Whether the operator who set the robot moving is still there. Time is the MCU's, as for every watchdog; a heartbeat counts
 * for the session of the signed mode command only, and only if its counter rises, so that no old one is worth anything.
 */
export class OperatorWatch {
  readonly #timeoutUs: number;
  #session: string | undefined;
  #watching = false;
  #counter = -1;
  #beatUs = 0;
  #nowUs = 0;

  /** @param timeout longest silence [ms]; 0 watches nobody */
  constructor(timeout: number) {
    this.#timeoutUs = timeout * 1000;
  }

  /** Whether a mode may begin without naming a session. */
  wants(mode: Mode): boolean {
    return this.#timeoutUs > 0 && needsHeartbeat(mode);
  }

  modeBegins(mode: Mode, session: string | undefined): void {
    this.#watching = this.wants(mode);
    this.#session = session;
    this.#counter = -1;
    this.#beatUs = this.#nowUs;
  }

  beat(session: string, counter: number): void {
    if (session !== this.#session || counter <= this.#counter) return;
    this.#counter = counter;
    this.#beatUs = this.#nowUs;
  }

  /** @param mcuTimeUs of the present frame [µs] */
  isLost(mcuTimeUs: number): boolean {
    // A stream that begins anew may begin at an earlier time; the operator's silence goes on.
    if (mcuTimeUs < this.#nowUs) this.#beatUs -= this.#nowUs - mcuTimeUs;
    this.#nowUs = mcuTimeUs;
    return this.#watching && mcuTimeUs - this.#beatUs > this.#timeoutUs;
  }
}
