import type { Exploration } from '../../messages/exploration.ts';
import { Random } from '../../random.ts';
import type { Task } from '../../robot/tasks/task.ts';

/** How the set point moves: gently, so that it is the noise that excites the robot and not a step of the set point. */
const PACE = 0.1; // m/s
const ACCELERATION = 0.2; // m/s²
/** Time constant with which a place is approached; above PACE / ACCELERATION, or it would be overshot [s]. */
const APPROACH = 2;

/** What is added to a controller for one decision. */
export interface SetPoint {
  /** [m] to be taken from the x that the controller sees */
  readonly x: number;
  /** [m/s] to be taken from its v */
  readonly v: number;
}

export const NO_SET_POINT: SetPoint = { x: 0, v: 0 };

/**
 * Draws the noise and moves the set point of one mode, decision by decision. The same exploration at the same rate of
 * decisions gives the same numbers, whatever the robot does and however busy the machine is.
 *
 * A set point is a frame that moves: the controller, whichever it is, balances in it and knows nothing of it.
 */
export class Explorer {
  readonly #exploration: Exploration;
  readonly #travels: boolean;
  /** between two decisions [s] */
  readonly #period: number;
  readonly #random: Random;
  /** the share of the wander that is left after one period, and what is drawn anew */
  readonly #stays: number;
  readonly #drawn: number;
  #wander = 0;
  #noise = 0;
  #goal = 0;
  /** until the next set point is drawn [s] */
  #left = 0;
  #x = 0;
  #v = 0;

  /** @param rate decisions a second [Hz] */
  constructor(exploration: Exploration, task: Task, rate: number) {
    this.#exploration = exploration;
    this.#travels = task.originResetsEachEpisode;
    this.#period = 1 / rate;
    this.#random = new Random(exploration.seed ^ Math.imul(exploration.episode, 0x85ebca6b));
    // Exact for an Ornstein-Uhlenbeck process that is looked at once a period.
    this.#stays = Math.exp(-this.#period / exploration.wanderTime);
    this.#drawn = exploration.wander * Math.sqrt(1 - this.#stays ** 2);
  }

  /** All that it remembers, as plain data. */
  remember() {
    return {
      random: this.#random.remember(),
      wander: this.#wander,
      noise: this.#noise,
      goal: this.#goal,
      left: this.#left,
      x: this.#x,
      v: this.#v,
    };
  }

  recall(memory: ReturnType<Explorer['remember']>): void {
    this.#random.recall(memory.random);
    this.#wander = memory.wander;
    this.#noise = memory.noise;
    this.#goal = memory.goal;
    this.#left = memory.left;
    this.#x = memory.x;
    this.#v = memory.v;
  }

  /** Total torque to be added until the next decision, within ±`mostTorque` [N·m]. */
  get noise(): number {
    return this.#noise;
  }

  get setPoint(): SetPoint {
    return { x: this.#x, v: this.#v };
  }

  /** The next decision is about to be made. */
  decide(): void {
    const { white, mostTorque, setPoint, setPointTime } = this.#exploration;
    // Every number is drawn at every decision: what one of them is set to must not change the others.
    const [first, second, third] = [this.#random.gaussian(), this.#random.gaussian(), this.#random.uniform()];
    this.#wander = this.#stays * this.#wander + this.#drawn * first;
    this.#noise = clamp(this.#wander + white * second, mostTorque);
    this.#left -= this.#period;
    if (this.#left <= 0) {
      this.#goal = setPoint * (2 * third - 1);
      this.#left = setPointTime;
    }
    const wanted = this.#travels ? this.#goal : clamp((this.#goal - this.#x) / APPROACH, PACE);
    this.#v += clamp(wanted - this.#v, ACCELERATION * this.#period);
    const x = this.#x + this.#v * this.#period;
    this.#x = this.#travels ? x : clamp(x, setPoint);
  }

  /** The failsafe table holds the robot: no noise, and the set point rests where it is. */
  rest(): void {
    this.#noise = 0;
    this.#v = 0;
  }
}

const clamp = (value: number, limit: number): number => Math.min(limit, Math.max(-limit, value));
