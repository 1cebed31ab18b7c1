import { join } from 'node:path';
import { messageOf } from '../errors.ts';
import type { EstopStage, Refusal } from '../messages/requests.ts';
import { ControlClient } from './control-client.ts';
import { stopBySignal } from './stop-by-signal.ts';

/** Told how far a stop has come, each stage once at most. */
export type StageListener = (stage: EstopStage, onDisk?: boolean) => void;

export interface StopCourierOptions {
  readonly runtimeDirectory: string;
  /** how long the last stage may take [ms] */
  readonly patience?: number;
}

interface Waiting {
  readonly source: string;
  readonly reached: StageListener;
  readonly finish: (problem: Refusal | undefined) => void;
}

const PATIENCE = 2000;
/** As control takes it [characters]. */
const LONGEST_SOURCE = 64;
/** Between two stops of a flood [ms]: a period of the sensor frames. */
const PACE = 5;

/**
 * Carries stops to control over a connection of its own, so that they need neither broker nor recorder nor whatever else
 * the gateway does. Those that come within a few milliseconds are one stop for control; none is answered by a stop that
 * was sent before it came, for that one may have been undone in between.
 */
export class StopCourier {
  readonly counters = {
    /** stops that control was told of */
    sent: 0,
    /** stops that control did not answer */
    unanswered: 0,
    /** times that control was told by signal because its socket was dead */
    signals: 0,
  };
  readonly #options: StopCourierOptions;
  #client: Promise<ControlClient> | undefined;
  #next: Waiting[] = [];
  #sentAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  /** stops whose later stages are not all told */
  readonly #open = new Set<OpenStop>();

  constructor(options: StopCourierOptions) {
    this.#options = options;
  }

  /** @returns resolves when all stages are reached, or patience is over; to why not, if control was not reached */
  stop(source: string, reached: StageListener): Promise<Refusal | undefined> {
    return new Promise((finish) => {
      this.#next.push({ source, reached, finish });
      if (this.#timer !== undefined) return;
      const wait = Math.max(0, this.#sentAt + PACE - performance.now());
      if (wait === 0) this.#send();
      else this.#timer = setTimeout(() => this.#send(), wait);
    });
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    const client = await this.#client?.catch(() => undefined);
    client?.close();
  }

  #send(): void {
    this.#timer = undefined;
    this.#sentAt = performance.now();
    const waiting = this.#next;
    this.#next = [];
    void this.#carry(waiting).catch((error: unknown) => {
      const problem = this.#unreachable(messageOf(error));
      for (const { finish } of waiting) finish(problem);
    });
  }

  async #carry(waiting: readonly Waiting[]): Promise<void> {
    const stop = new OpenStop(waiting);
    this.counters.sent += 1;
    // Control may have closed the connection since the last stop, to make room for others.
    if (!(await this.#tell(stop)) && !(await this.#tell(stop))) {
      this.counters.unanswered += 1;
      throw new Error('control does not answer');
    }
    for (const { finish } of waiting) finish(undefined);
  }

  /** @returns whether control answered */
  async #tell(stop: OpenStop): Promise<boolean> {
    const client = await this.#connection();
    const began = performance.now();
    const patience = this.#options.patience ?? PATIENCE;
    const { stages } = await client.estop(
      stop.source,
      (stage, onDisk) => {
        // Control tells only a few stops at a time how they go on; that torque is off is true for all that it has received.
        if (stage === 'received') this.#open.add(stop);
        if (stage === 'confirmed') for (const open of this.#open) open.reach(stage);
        stop.reach(stage, onDisk);
      },
      patience,
    );
    this.#open.delete(stop);
    if (stages.length === 0) {
      client.close();
      // One that is silent for that long is not asked again.
      if (performance.now() - began >= patience) throw new Error(`control was silent for ${patience} ms`);
      return false;
    }
    if (!stop.has('latched')) {
      const { estop } = await client.status();
      if (estop.latched) stop.reach('latched', estop.onDisk);
    }
    return true;
  }

  #connection(): Promise<ControlClient> {
    this.#client ??= ControlClient.connect(join(this.#options.runtimeDirectory, 'control.sock')).then((client) => {
      void client.closed.then(() => {
        this.#client = undefined;
      });
      return client;
    });
    this.#client.catch(() => {
      this.#client = undefined;
    });
    return this.#client;
  }

  #unreachable(problem: string): Refusal {
    const pid = stopBySignal(this.#options.runtimeDirectory);
    if (pid === undefined) {
      return { code: 'control-silent', message: problem, remedy: 'cut the power of the motors now' };
    }
    this.counters.signals += 1;
    return {
      code: 'control-silent',
      message: `${problem}; its process ${pid} was told to stop by SIGUSR2, and has NOT confirmed`,
      remedy: 'look at the robot; if it is not down, cut the power of its motors now',
    };
  }
}

/** One stop for control, and all who asked for it. */
class OpenStop {
  readonly #waiting: readonly Waiting[];
  readonly #reached = new Set<EstopStage>();

  constructor(waiting: readonly Waiting[]) {
    this.#waiting = waiting;
  }

  get source(): string {
    const [first] = this.#waiting;
    const others = this.#waiting.length - 1;
    return `${first?.source ?? ''}${others > 0 ? ` and ${others} more` : ''}`.slice(0, LONGEST_SOURCE);
  }

  has(stage: EstopStage): boolean {
    return this.#reached.has(stage);
  }

  reach(stage: EstopStage, onDisk?: boolean): void {
    if (this.#reached.has(stage)) return;
    this.#reached.add(stage);
    for (const { reached } of this.#waiting) reached(stage, onDisk);
  }
}
