import type { LatchCause, McuState, RequestedState } from '../protocol/messages.gen.ts';

/** What is latched, if anything: the content of `fault` and `estopEcho`. */
export interface Latch {
  /** counts up; `clear` must name it */
  readonly number: number;
  readonly cause: LatchCause;
  /** MCU time [µs] */
  readonly at: number;
  /** fault bits when it latched */
  readonly faults: number;
}

/** The MCU's states and its latch. All times are MCU time [µs], never wrapped. */
export class McuStateMachine {
  readonly #brakeMicros: number;
  #state: McuState = 'idle';
  #latch: Latch = { number: 0, cause: 'none', at: 0, faults: 0 };
  #brakingSince = 0;
  #faults = 0;

  /** @param brakeMicros from braking to limp */
  constructor(brakeMicros: number) {
    this.#brakeMicros = brakeMicros;
  }

  get state(): McuState {
    return this.#state;
  }

  get latch(): Latch {
    return this.#latch;
  }

  get latched(): boolean {
    return this.#latch.cause !== 'none';
  }

  /** fault bits now */
  get faults(): number {
    return this.#faults;
  }

  /**
   * §5: a valid command asks for a state.
   * @returns false where the present state does not let it: nothing changes then
   */
  request(requested: RequestedState, now: number): boolean {
    const state = this.#state;
    if (requested === state) return true;
    if (this.latched) return requested !== 'active';
    switch (requested) {
      case 'active':
        // §5.1: only from idle, so a robot that braked or went limp is disarmed first
        if (state !== 'idle') return false;
        break;
      case 'braking':
        // torque that is off stays off
        if (state !== 'active') return true;
        this.#brakingSince = now;
        break;
      case 'limp':
        if (state === 'idle') return true;
        break;
      case 'idle':
        break;
    }
    this.#state = requested;
    return true;
  }

  /** Torque off, in every state, and a number that no earlier `clear` names. */
  estop(now: number): void {
    this.#set('estopped', 'estop', now);
  }

  /** No valid command for too long. */
  watchdog(now: number): void {
    this.#brakingSince = now;
    this.#set('braking', 'watchdog', now);
  }

  /** §5.2: the hardware's fault bits as they are now. In estopped and faulted they change nothing else. */
  setFaults(bits: number, now: number): void {
    this.#faults = bits;
    if (bits !== 0 && this.#state !== 'estopped' && this.#state !== 'faulted') this.#set('faulted', 'fault', now);
  }

  /**
   * §7.3: clears the latch of that number and leaves the MCU idle; or faulted anew if an e-stop covered a fault bit that is still set.
   * @returns false, changing nothing, where another or no latch is set, a fault persists or the robot still brakes
   */
  clear(number: number, now: number): boolean {
    if (!this.latched || number !== this.#latch.number || this.#state === 'braking') return false;
    if (this.#state === 'faulted' && this.#faults !== 0) return false;
    this.#latch = { ...this.#latch, cause: 'none' };
    this.#state = 'idle';
    if (this.#faults !== 0) this.#set('faulted', 'fault', now);
    return true;
  }

  /** Lets time pass: braking ends in limp. */
  tick(now: number): void {
    if (this.#state === 'braking' && now - this.#brakingSince >= this.#brakeMicros) this.#state = 'limp';
  }

  #set(state: McuState, cause: LatchCause, now: number): void {
    this.#state = state;
    this.#latch = { number: (this.#latch.number + 1) & 0xffff, cause, at: now, faults: this.#faults };
  }
}
