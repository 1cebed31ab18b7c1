import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EdgeError } from '../../errors.ts';
import { Random } from '../../random.ts';
import { modelsDirectory } from '../../robot/robot.ts';
import { checkApplicable, drawGap, type GapFile, type GapKey, readGap } from '../gap.ts';
import { MujocoModel, type StateViews } from '../mujoco.ts';
import {
  checkAction,
  digestOf,
  type Environment,
  type ResetOptions,
  type Step,
  unbounded,
  unit,
} from './environment.ts';
import { Tally } from './tally.ts';

export interface HalfCheetahOptions {
  /** gaps that ship or paths to YAML files; several compose; their ranges are drawn anew each episode */
  readonly gaps?: readonly string[];
  /** decisions until a time-out; default 1000 */
  readonly episodeSteps?: number;
  /**
   * Noise of a gap is charged as if it had been chosen, which is what comes of the H2O authors' way to add it to the action before the
   * environment sees it: about 0.6 a step at N(0, 1). Default: the reward is of the action that was chosen, so that the gap is one of
   * dynamics alone.
   */
  readonly chargeNoise?: boolean;
}

/** What of a gap the cheetah has; the rest belongs to a robot with wheels and sensors. */
const knownGaps = [
  'gravityScale',
  'frictionScale',
  'actionNoise',
  'massScale',
  'motorConstantScale',
] as const satisfies readonly GapKey[];

const joints = ['backThigh', 'backShin', 'backFoot', 'frontThigh', 'frontShin', 'frontFoot'] as const;
/** physics steps of 10 ms in one decision */
const frameSkip = 5;
/** of the squared action. Source: HalfCheetah-v2 and later */
const controlCost = 0.1;
/** of a start: uniform positions up to it, normal velocities of it. Source: HalfCheetah-v2 and later */
const startNoise = 0.1;
const degrees = joints.length + 3;

/**
 * The planar HalfCheetah: run forward. Observation, 17 numbers: positions but x, then velocities; action: six torques over the gears; reward:
 * forward speed less a tenth of the squared action; never over, a time-out after 1000 decisions of 50 ms. As HalfCheetah-v2 to v4 of OpenAI
 * Gym and Gymnasium; returns compare with theirs, trajectories do not bit by bit.
 */
export class HalfCheetah implements Environment {
  readonly name: string;
  readonly observationSize = 2 * degrees - 1;
  readonly actionSize = joints.length;
  readonly observationNames = [
    ...['z', 'pitch', ...joints],
    ...['xVelocity', 'zVelocity', 'pitchVelocity', ...joints.map((joint) => `${joint}Velocity`)],
  ];
  readonly observationBounds = unbounded(2 * degrees - 1);
  readonly actionBounds = unit(joints.length);
  readonly episodeSteps: number;
  readonly stepSeconds: number;
  readonly balances = false;
  readonly applied = new Float32Array(joints.length);
  readonly tally: Tally;
  readonly model: MujocoModel;
  readonly #gaps: readonly GapFile[];
  readonly #chargeNoise: boolean;
  readonly #whole: Readonly<Record<(typeof changeable)[number], Float64Array>>;
  readonly #observation = new Float32Array(2 * degrees - 1);
  readonly #result: { -readonly [K in keyof Step]: Step[K] };
  #views: StateViews;
  #random = new Random(0);
  #noise = 0;
  #motor = 1;
  #steps = 0;

  private constructor(model: MujocoModel, gaps: readonly GapFile[], options: HalfCheetahOptions) {
    const { episodeSteps = 1000, chargeNoise = false } = options;
    this.model = model;
    this.#gaps = gaps;
    this.#chargeNoise = chargeNoise;
    this.name = ['half-cheetah', ...gaps.map(({ name }) => name)].join('/');
    this.episodeSteps = episodeSteps;
    const constants = model.constants();
    this.stepSeconds = frameSkip * constants.timestep;
    this.tally = new Tally(this.stepSeconds);
    this.#whole = {
      gravity: constants.gravity.slice(),
      geomFriction: constants.geomFriction.slice(),
      bodyMass: constants.bodyMass.slice(),
      bodyInertia: constants.bodyInertia.slice(),
    };
    this.#views = model.views();
    this.#result = { observation: this.#observation, reward: 0, terminated: false, truncated: false, frames: 1 };
  }

  /** @throws EdgeError `fileUnreadable`, `gapInvalid` also for a gap of wheels and sensors, `simulatorMissing` */
  static async create(options: HalfCheetahOptions = {}): Promise<HalfCheetah> {
    const gaps = (options.gaps ?? []).map(readGap);
    checkApplicable(gaps, knownGaps, 'half-cheetah');
    return new HalfCheetah(await MujocoModel.compile(readModel()), gaps, options);
  }

  reset(seed: number, { start = 'spread' }: ResetOptions = {}): Float32Array {
    this.#applyGap(seed);
    // its own stream: what noise is drawn later must not depend on the start
    const random = new Random(seed ^ 0x57a27);
    this.#random = new Random(seed);
    this.model.reset();
    const { position, velocity } = this.#fresh();
    if (start === 'spread') {
      for (let i = 0; i < degrees; i++) position[i] = (position[i] ?? 0) + startNoise * (2 * random.uniform() - 1);
      for (let i = 0; i < degrees; i++) velocity[i] = startNoise * random.gaussian();
    }
    this.model.forward();
    this.#steps = 0;
    this.applied.fill(0);
    this.tally.clear();
    return this.#observe();
  }

  resume(): Float32Array {
    this.#steps = 0;
    return this.#observation;
  }

  step(action: Float32Array): Step {
    checkAction(action, joints.length);
    const { control, position } = this.#fresh();
    let cost = 0;
    for (let i = 0; i < joints.length; i++) {
      // the cost is of what was asked for, however much of it acts
      const chosen = action[i] ?? 0;
      const noisy = this.#noise > 0 ? chosen + this.#noise * this.#random.gaussian() : chosen;
      cost += (this.#chargeNoise ? noisy : chosen) ** 2;
      this.applied[i] = clamp(chosen);
      control[i] = this.#motor * clamp(noisy);
    }
    const from = position[0] ?? 0;
    for (let i = 0; i < frameSkip; i++) this.model.step();
    const speed = ((position[0] ?? 0) - from) / this.stepSeconds;
    if (!Number.isFinite(speed)) throw new Error('the simulated state is not a number: the physics has diverged');
    this.#steps += 1;
    const result = this.#result;
    result.reward = speed - controlCost * cost;
    result.truncated = this.#steps >= this.episodeSteps;
    this.tally.count(result.reward);
    this.#observe();
    return result;
  }

  digest(): string {
    return digestOf(this.model.save());
  }

  delete(): void {
    this.model.delete();
  }

  #applyGap(seed: number): void {
    const gap = drawGap(this.#gaps, new Random(seed ^ 0x6a905));
    const constants = this.model.constants();
    const { gravityScale, frictionScale, massScale } = gap;
    const scales = { gravity: gravityScale, geomFriction: frictionScale, bodyMass: massScale, bodyInertia: massScale };
    for (const name of changeable) constants[name].set(this.#whole[name].map((value) => value * scales[name]));
    this.model.constantsChanged();
    this.#noise = gap.actionNoise;
    this.#motor = gap.motorConstantScale;
    // a motor's control is cut off by the simulator at 1: where the gap makes it stronger, its range grows
    constants.actuatorRange.set(Array.from({ length: joints.length }, () => [-this.#motor, this.#motor]).flat());
  }

  #observe(): Float32Array {
    const { position, velocity } = this.#fresh();
    for (let i = 1; i < degrees; i++) this.#observation[i - 1] = position[i] ?? 0;
    for (let i = 0; i < degrees; i++) this.#observation[degrees - 1 + i] = velocity[i] ?? 0;
    return this.#observation;
  }

  #fresh(): StateViews {
    if (this.#views.detached) this.#views = this.model.views();
    return this.#views;
  }
}

/** What a gap changes in the model. */
const changeable = ['gravity', 'geomFriction', 'bodyMass', 'bodyInertia'] as const;

function readModel(): string {
  const path = join(modelsDirectory, 'robots', 'half-cheetah.xml');
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw new EdgeError('fileUnreadable', `cannot read ${path}`, 'it comes with the package: install that again');
  }
}

const clamp = (value: number): number => Math.min(1, Math.max(-1, value));
