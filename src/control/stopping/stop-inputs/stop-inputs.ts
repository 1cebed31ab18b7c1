import type { StopInputConfig } from '../../../messages/config.ts';
import { StopInput } from './stop-input.ts';

export interface StopInputsOptions {
  readonly inputs: readonly StopInputConfig[];
  /** Stops the robot; called in the turn of the event loop in which the press was read. */
  readonly onStop: (source: string) => void;
  /** Somebody beside the robot agrees that the stop in force is undone. */
  readonly onConfirm: (source: string) => void;
  /** an input was opened, or is gone and why */
  readonly onChange: (change: { readonly path: string; readonly open: boolean; readonly problem: string }) => void;
}

/** Between two looks at the inputs: one period of the sensor frames; presses wait in the kernel meanwhile [ms]. */
const POLL_INTERVAL = 5;
/** Between two looks whether the inputs are still there [ms]. */
const CHECK_INTERVAL = 500;
/** A look that takes longer than this: a device that hangs is as good as gone [ms]. */
const CHECK_PATIENCE = 3000;

/** The joysticks, buttons and pipes of the configuration. Without any it does nothing at all. */
export class StopInputs {
  readonly inputs: readonly StopInput[];
  readonly #options: StopInputsOptions;
  readonly #told = new Map<StopInput, string>();
  #timers: NodeJS.Timeout[] = [];
  /** one look through libuv's pool at a time, for all inputs together: it can take one thread from it and no more */
  #checking: { readonly input: StopInput; readonly since: number } | undefined;
  #next = 0;

  constructor(options: StopInputsOptions) {
    this.#options = options;
    this.inputs = options.inputs.map((input) => new StopInput(input));
    // That they are not open yet is no news.
    for (const input of this.inputs) this.#told.set(input, input.problem);
  }

  /** One of them cannot be read: whoever counts on it would press in vain. */
  get anyLost(): boolean {
    return this.inputs.some((input) => !input.isOpen) || this.#hangs;
  }

  /** Paths of inputs with a button that counts and is held down. */
  get held(): string[] {
    return this.inputs.filter(({ held }) => held.length > 0).map(({ config }) => config.path);
  }

  start(): void {
    if (this.inputs.length === 0) return;
    this.#checkAll();
    this.#timers = [
      setInterval(() => this.#poll(), POLL_INTERVAL),
      setInterval(() => this.#checkAll(), CHECK_INTERVAL),
    ];
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers = [];
    // One that hangs would keep control from ending.
    if (!this.#hangs) await Promise.all(this.inputs.map((input) => input.close()));
  }

  get #hangs(): boolean {
    return this.#checking !== undefined && performance.now() - this.#checking.since > CHECK_PATIENCE;
  }

  #poll(): void {
    const pressed = this.inputs.map((input) => ({ input, press: input.poll() }));
    let stopped = false;
    for (const { input, press } of pressed) {
      if (press?.kind !== 'stop') continue;
      stopped = true;
      this.#options.onStop(`${input.config.path}: ${press.why}`);
    }
    // Nobody confirms the undoing of a stop in the moment in which it is pressed: that was meant for the one before.
    if (!stopped) {
      for (const { input, press } of pressed) if (press?.kind === 'confirm') this.#options.onConfirm(input.config.path);
    }
    for (const { input } of pressed) this.#tell(input);
  }

  /** Each in its turn. */
  #checkAll(): void {
    if (this.#checking) return;
    const input = this.inputs[this.#next];
    if (!input) {
      this.#next = 0;
      return;
    }
    this.#next += 1;
    this.#checking = { input, since: performance.now() };
    void input.check().then(() => {
      this.#checking = undefined;
      this.#tell(input);
      // The next at once, and after the last one a pause.
      if (this.#timers.length > 0) this.#checkAll();
    });
  }

  #tell(input: StopInput): void {
    if (this.#told.get(input) === input.problem) return;
    this.#told.set(input, input.problem);
    this.#options.onChange({ path: input.config.path, open: input.isOpen, problem: input.problem });
  }
}
