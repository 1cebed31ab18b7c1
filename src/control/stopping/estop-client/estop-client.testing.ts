import { EstopClient, type EstopClientOptions } from './estop-client.ts';
import type { StopProgress } from './estop-stages.ts';

/** Time that a test moves; what is due runs in order of time. */
export class TestClock {
  #now = 0;
  #timers: { at: number; work: () => void }[] = [];

  wall(): number {
    return 1_700_000_000_000 + this.#now;
  }

  now(): number {
    return this.#now;
  }

  after(milliseconds: number, work: () => void): () => void {
    const timer = { at: this.#now + milliseconds, work };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((candidate) => candidate !== timer);
    };
  }

  advance(milliseconds: number): void {
    const end = this.#now + milliseconds;
    for (;;) {
      const due = this.#timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.#now = Math.max(this.#now, due.at);
      due.work();
    }
    this.#now = end;
  }
}

/** A client of the robot `r1` that keeps what it is told to stop for. */
export function estopClientRig(options: Partial<EstopClientOptions> & { url: string; progress?: StopProgress }) {
  const stops: string[] = [];
  const states: string[] = [];
  const client = new EstopClient({
    robot: 'r1',
    onStop: (source) => {
      stops.push(source);
      return options.progress;
    },
    onState: (state) => states.push(state),
    ...options,
  });
  return { client, stops, states };
}
