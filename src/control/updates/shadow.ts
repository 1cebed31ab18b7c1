import { Histogram } from '../../histogram.ts';
import type { ShadowReport } from '../../messages/policy-updates.ts';
import type { BodyReadings } from '../../policy/observation.ts';
import type { Robot } from '../../robot/robot.ts';
import type { TaskName } from '../../robot/tasks/task.ts';
import { bodyReadings } from '../controllers/body-readings.ts';
import type { Actuated } from '../tick.ts';
import type { Observation, Observe } from './bench-messages.ts';
import { MORE, POLICY_LIMITS } from './outside.ts';
import { percent } from './rehearsal.ts';

/**
 * What a shadow is told of a frame that has been answered: numbers, and nothing that could make or send a command. There is no
 * way from a shadow to the port.
 */
export interface ShadowFrame
  extends Pick<Actuated, 'task' | 'state' | 'dtUs' | 'lost' | 'first' | 'superseded' | 'limits' | 'robotState'> {
  /** total that was asked for on this frame, and what was sent on it [N·m] */
  readonly requestedTorque: number;
  readonly commandedTorque: number;
  readonly body: BodyReadings;
}

export const shadowFrameOf = (tick: Actuated): ShadowFrame => {
  const { task, state, dtUs, lost, first, superseded, limits, robotState, request, command } = tick;
  const [left, right] = command.wheelTorque;
  return {
    ...{ task, state, dtUs, lost, first, superseded, limits, robotState },
    requestedTorque: request.total,
    commandedTorque: left + right,
    body: bodyReadings(tick),
  };
};

export interface ShadowOptions {
  readonly id: string;
  readonly version: number;
  readonly task: TaskName;
  /** frames for each of its decisions */
  readonly framesPerDecision: number;
  /** seconds until it is complete */
  readonly wanted: number;
  /** what a run may take */
  readonly budgetUs: number;
  readonly robot: Robot;
  /** says what it is to see; never waits */
  readonly ask: (observe: Observe) => void;
}

/**
 * Decisions that are asked for and not answered. Its process gets what time the others leave: when it is so far behind, it is
 * left out until it answers. Whether a run of it takes too long is told by its own clock, see `verdict`.
 */
const MOST_OPEN = 50;
/** Decisions in a row that it was left out of until it is given up: ten seconds at 200 Hz. */
const MOST_LEFT_OUT = 2000;

/**
 * A version beside the active one, on the same frames and at its own rate, in the process that tries policies. It is asked
 * once the command of the frame has gone out, and nobody waits for what it says.
 */
export class Shadow {
  readonly id: string;
  readonly version: number;
  readonly #options: ShadowOptions;
  readonly #latency = new Histogram();
  readonly #open = new Map<number, { readonly requested: number; readonly limited: boolean }>();
  #n = 0;
  #framesToDecision = 0;
  #sentTorque = 0;
  #runs = false;
  /** what it remembers is of another time */
  #anew = true;
  #leftOut = 0;
  #seconds = 0;
  #decisions = 0;
  #outside = 0;
  #outsideBefore = 0;
  #squares = 0;
  #max = 0;

  constructor(options: ShadowOptions) {
    this.id = options.id;
    this.version = options.version;
    this.#options = options;
  }

  get report(): ShadowReport {
    const share = (count: number) => (this.#decisions === 0 ? 0 : count / this.#decisions);
    return {
      seconds: this.#seconds,
      wanted: this.#options.wanted,
      decisions: this.#decisions,
      outside: share(this.#outside),
      outsideBefore: share(this.#outsideBefore),
      rms: Math.sqrt(share(this.#squares)),
      max: this.#max,
      p99Us: this.#latency.quantile(0.99),
    };
  }

  /** Enough was seen to say whether anything speaks against it; see `verdict`. */
  get isComplete(): boolean {
    return this.#seconds >= this.#options.wanted && this.#open.size === 0 && this.#decisions > 0;
  }

  /** What speaks against one that is complete. */
  verdict(): string[] {
    const { outside, outsideBefore, p99Us } = this.report;
    const { budgetUs } = this.#options;
    const reasons: string[] = [];
    if (outside > outsideBefore + MORE) {
      reasons.push(
        `shadow: the guard would have acted on ${percent(outside)} of its decisions, it did on ${percent(outsideBefore)}`,
      );
    }
    if (!(p99Us <= budgetUs)) reasons.push(`latency: p99 ${Math.round(p99Us)} µs is above ${Math.round(budgetUs)} µs`);
    return reasons;
  }

  /** A frame has been answered. @returns why it is not to go on */
  frame(frame: ShadowFrame): string | undefined {
    const { task, framesPerDecision, wanted } = this.#options;
    const sentTorque = this.#sentTorque;
    this.#sentTorque = frame.commandedTorque;
    if (frame.task !== task || frame.robotState !== 'running') {
      this.#runs = false;
      return undefined;
    }
    if (!this.#runs || frame.first || frame.lost > 0) {
      this.#anew = true;
      this.#framesToDecision = 0;
    }
    this.#runs = true;
    if (this.#seconds >= wanted) return undefined;
    if (this.#leftOut === 0) this.#seconds += frame.dtUs / 1e6;
    this.#framesToDecision -= 1;
    if (this.#framesToDecision > 0 || frame.superseded) return undefined;
    this.#framesToDecision = framesPerDecision;
    if (this.#open.size >= MOST_OPEN) {
      this.#anew = true;
      this.#leftOut += 1;
      return this.#leftOut > MOST_LEFT_OUT ? `slow: ${MOST_OPEN} decisions are still to be answered` : undefined;
    }
    const reset = this.#anew;
    this.#anew = false;
    this.#leftOut = 0;
    const n = ++this.#n;
    this.#open.set(n, { requested: frame.requestedTorque, limited: (frame.limits & POLICY_LIMITS) !== 0 });
    this.#options.ask({ do: 'observe', n, reset, state: frame.state, sentTorque, body: frame.body });
    return undefined;
  }

  /** It has decided. @returns why it is not to go on */
  observed({ observed, torque, tookUs, outside }: Observation): string | undefined {
    const asked = this.#open.get(observed);
    if (!asked) return undefined;
    this.#open.delete(observed);
    this.#decisions += 1;
    this.#latency.add(tookUs);
    if (outside) this.#outside += 1;
    if (asked.limited) this.#outsideBefore += 1;
    if (!Number.isFinite(torque)) return 'action: it is no number';
    const difference = Math.abs(torque - asked.requested) / this.#options.robot.policy.torqueScale;
    this.#squares += difference ** 2;
    this.#max = Math.max(this.#max, difference);
    return undefined;
  }
}
