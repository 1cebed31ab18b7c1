import { allocate, type Transitions } from '../dataset/transitions.ts';
import { Random } from '../random.ts';
import type { WheelLegged } from '../simulation/environments/wheel-legged.ts';
import type { Controller } from './controller.ts';

/** How a robot is driven while its data are collected: a law that balances, and what disturbs it so that the data say something. */
export interface Behaviour {
  /** [N·m] per m, m/s, rad, rad/s: torque = x·(x − set-point) + v·v + pitch·θ + pitchRate·θ̇ */
  readonly gains: { readonly x: number; readonly v: number; readonly pitch: number; readonly pitchRate: number };
  /** std of an Ornstein-Uhlenbeck noise on the torque [N·m] */
  readonly drift: number;
  /** std of normal noise on the torque, drawn anew each decision [N·m] */
  readonly white: number;
  /** std of the slow wander of the place to stand at [m]; where the task travels it has no meaning */
  readonly wander: number;
}

/**
 * Two ways, from the study on a planar model that the gap `twin-d` comes from: `clean` hardly ever falls and stays near the working
 * point, as a log of a robot does; `falling` reaches the edges.
 */
export const behaviours = {
  clean: { gains: { x: 0.7, v: 2, pitch: 15, pitchRate: 1.2 }, drift: 0.3, white: 0.2, wander: 0.4 },
  falling: { gains: { x: 0.5, v: 1.5, pitch: 12, pitchRate: 1 }, drift: 0.5, white: 0.5, wander: 0.4 },
} as const satisfies Record<string, Behaviour>;

/** Correlation time of the drift: slower than balancing, faster than rolling away; assumed [s]. */
const driftTime = 0.5;
/** Of the set-point; assumed [s]. */
const wanderTime = 10;

export interface CollectOptions {
  readonly environment: WheelLegged;
  /** transitions */
  readonly count: number;
  /** of the first episode and of all that disturbs; later episodes follow from it */
  readonly seed: number;
  readonly behaviour?: Behaviour;
}

export interface Collected extends Transitions {
  /** how often the robot had to be set up again */
  readonly falls: number;
}

/**
 * Drives the robot and keeps what its sensors tell, as its rows would: the action that was applied, rewards of the measured states, a time-out
 * at each of the task's boundaries, after which the robot goes on where it is.
 */
export function collect({ environment, count, seed, behaviour = behaviours.clean }: CollectOptions): Collected {
  const shape = { observationSize: environment.observationSize, actionSize: environment.actionSize, marked: false };
  const rows = allocate(count, shape, {
    environment: environment.name,
    behaviour: { ...behaviour, gains: { ...behaviour.gains } },
    seed,
  });
  const { observations, actions, rewards, nextObservations, terminals, timeouts } = rows;
  const driver = new Driver(environment, behaviour, new Random(seed));
  const action = new Float32Array(environment.actionSize);
  let falls = 0;
  let observation = environment.reset(seed, { start: 'rest' });
  for (let row = 0; row < count; row++) {
    observations.set(observation, row * shape.observationSize);
    driver.act(observation, action);
    const step = environment.step(action);
    actions.set(environment.applied, row * shape.actionSize);
    rewards[row] = step.reward;
    nextObservations.set(step.observation, row * shape.observationSize);
    terminals[row] = step.terminated ? 1 : 0;
    timeouts[row] = !step.terminated && (step.truncated || row === count - 1) ? 1 : 0;
    observation = step.observation;
    if (step.truncated) observation = environment.resume();
    if (step.terminated) {
      falls += 1;
      // far from the seeds that a caller may give other runs
      observation = environment.reset(seed + 0x10000 * falls, { start: 'rest' });
      driver.reset();
    }
  }
  return { ...rows, falls };
}

/** The law of a behaviour with all that disturbs it. */
class Driver implements Controller {
  readonly #behaviour: Behaviour;
  readonly #random: Random;
  readonly #seconds: number;
  readonly #torqueScale: number;
  readonly #travels: boolean;
  readonly #speed: number;
  #drift = 0;
  #place = 0;

  constructor({ robot, task, stepSeconds }: WheelLegged, behaviour: Behaviour, random: Random) {
    this.#behaviour = behaviour;
    this.#random = random;
    this.#seconds = stepSeconds;
    this.#torqueScale = robot.policy.torqueScale;
    this.#travels = task.originResetsEachEpisode;
    this.#speed = task.targetVelocity;
  }

  reset(): void {
    this.#drift = 0;
    this.#place = 0;
  }

  act(observation: Float32Array, action: Float32Array): void {
    const [x = 0, v = 0, pitch = 0, pitchRate = 0] = observation;
    const { gains, drift, white, wander } = this.#behaviour;
    this.#drift = this.#wander(this.#drift, drift, driftTime);
    this.#place = this.#wander(this.#place, wander, wanderTime);
    // where the task travels there is no place to come back to, only a speed to keep
    const home = this.#travels ? 0 : gains.x * (x - this.#place);
    const law = home + gains.v * (v - this.#speed) + gains.pitch * pitch + gains.pitchRate * pitchRate;
    action[0] = (law + this.#drift + white * this.#random.gaussian()) / this.#torqueScale;
  }

  /** One step of an Ornstein-Uhlenbeck process, exact for any length of step. */
  #wander(value: number, deviation: number, time: number): number {
    const kept = Math.exp(-this.#seconds / time);
    return kept * value + deviation * Math.sqrt(1 - kept * kept) * this.#random.gaussian();
  }
}
