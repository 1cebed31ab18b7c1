import type { ServiceManager } from '../service-manager.ts';
import type { Actuated } from './tick.ts';

/** Feedings in one period of the service manager's patience. */
const FEEDINGS = 4;

export interface TickWatchdogOptions {
  readonly manager: Pick<ServiceManager, 'tell' | 'watchdog'>;
  /** monotonic [ms] */
  readonly now: () => number;
}

/**
 * The service manager's watchdog over the control loop. It is fed by nothing but a tick that came to its end: a frame that
 * was taken for true, went through the guard, and whose command went out whole. No timer feeds it, so that a loop whose
 * timers run while its frames go unanswered is found, killed and started again, disarmed.
 *
 * Where no frames are due (the port is closed or silent, the motor controller obeys nobody yet) there is nothing to
 * complete: the watch is suspended until they are due again. An unplugged robot is not a reason to start over for ever.
 */
export class TickWatchdog {
  readonly #options: TickWatchdogOptions;
  /** [ms]; undefined: nobody watches */
  readonly #patience: number | undefined;
  #due = { open: false, silent: false, accepted: false };
  #watched = false;
  #fedAt = Number.NEGATIVE_INFINITY;

  constructor(options: TickWatchdogOptions) {
    this.#options = options;
    this.#patience = options.manager.watchdog;
  }

  /** Fields for the message that says that control is up: at first there are no frames. */
  get atStart(): readonly string[] {
    return this.#patience === undefined ? [] : ['WATCHDOG_USEC=0'];
  }

  /** For each tick, after its command went out or failed to. */
  completed(tick: Pick<Actuated, 'written' | 'superseded'>): void {
    if (!this.#watched || !tick.written || tick.superseded || this.#patience === undefined) return;
    const now = this.#options.now();
    if (now - this.#fedAt < this.#patience / FEEDINGS) return;
    // What the pipe did not take is said again with the next tick.
    if (this.#options.manager.tell('WATCHDOG=1')) this.#fedAt = now;
  }

  /** Whether frames are due has changed. */
  changed(due: Partial<{ open: boolean; silent: boolean; accepted: boolean }>): void {
    this.#due = { ...this.#due, ...due };
    if (this.#patience === undefined) return;
    const { open, silent, accepted } = this.#due;
    const watched = open && !silent && accepted;
    if (watched === this.#watched) return;
    const period = watched ? Math.round(this.#patience * 1000) : 0;
    if (!this.#options.manager.tell(`WATCHDOG_USEC=${period}`)) return;
    this.#watched = watched;
    // The new period has just begun.
    this.#fedAt = this.#options.now();
  }
}
