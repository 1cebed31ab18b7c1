import { Random } from '../../random.ts';
import { upInBody } from '../../robot/kinematics.ts';
import type { Robot } from '../../robot/robot.ts';
import type { Task, TaskState } from '../../robot/tasks/task.ts';
import { drawGap, type Gap, type GapFile, rangesOf, readGap } from '../gap.ts';
import { idealised } from '../imperfections.ts';
import { Twin, type TwinStart } from '../twin.ts';
import {
  checkAction,
  digestOf,
  type Environment,
  type ResetOptions,
  type Step,
  unbounded,
  unit,
} from './environment.ts';
import { RobotBody } from './robot-body.ts';
import { Tally } from './tally.ts';

export interface WheelLeggedOptions {
  readonly robot: Robot;
  readonly task: Task;
  /**
   * `simulator`: what a trainer believes: no latency, no friction in the wheels' drives, no noise.
   * `twin`: with the latency, friction and quantised noisy sensors of the robot file, as on the serial port.
   */
  readonly dynamics: 'simulator' | 'twin';
  /** gaps that ship or paths to YAML files; several compose; their ranges are drawn anew each episode */
  readonly gaps?: readonly string[];
  /** control periods that one action is held for; reward is the mean over them. Default 1: decisions at `policy.rate` */
  readonly hold?: number;
  /** `paper`: x, v, pitch, pitch rate; `full`: these and the readings of wheels, legs and IMU. Default `paper` */
  readonly observation?: 'paper' | 'full';
  /** decisions until a time-out; default the task's 1000, where x counts anew each 1000 control periods those */
  readonly episodeSteps?: number;
  /** the guard's limit on the change of torque acts, as on the robot; default: in the twin */
  readonly slew?: boolean;
}

/** A random start in training: up to this much either way. Source: a study on a planar model, as `models/gaps/twin-d.yaml`. */
const spread = { x: 0.2, pitch: 0.1, pitchRate: 0.5 };

const paperNames = ['x', 'v', 'pitch', 'pitchRate'] as const;
const sides = ['Left', 'Right'] as const;
const fullNames = [
  ...paperNames,
  // [rad/s], body frame
  ...['gyroX', 'gyroY', 'gyroZ'],
  // [m/s²], body frame
  ...['accelerationX', 'accelerationY', 'accelerationZ'],
  // the world's vertical in the body frame
  ...['upX', 'upY', 'upZ'],
  // [rad/s], against the shank
  ...sides.map((side) => `wheelVelocity${side}`),
  // [rad] from stance and [rad/s]
  ...sides.flatMap((side) => [`hip${side}`, `knee${side}`]),
  ...sides.flatMap((side) => [`hipVelocity${side}`, `kneeVelocity${side}`]),
  // the action that was applied last
  'previousAction',
];

/**
 * The wheel-legged robot under one of the paper's tasks. Action: total torque of both wheels over `policy.torqueScale`; the legs are held in
 * stance by the motor controller. Rewards and ends come from the task, of the states that the sensors tell; the tally is of the true ones.
 */
export class WheelLegged implements Environment {
  readonly name: string;
  readonly observationNames: readonly string[];
  readonly observationSize: number;
  readonly actionSize = 1;
  readonly observationBounds;
  readonly actionBounds = unit(1);
  readonly episodeSteps: number;
  readonly stepSeconds: number;
  readonly balances = true;
  readonly hold: number;
  readonly applied = new Float32Array(1);
  readonly tally: Tally;
  readonly robot: Robot;
  readonly task: Task;
  readonly #body: RobotBody;
  readonly #gaps: readonly GapFile[];
  readonly #varies: boolean;
  readonly #full: boolean;
  readonly #stance: readonly number[];
  readonly #observation: Float32Array;
  readonly #result: { -readonly [K in keyof Step]: Step[K] };
  readonly #before = { x: 0, v: 0, pitch: 0, pitchRate: 0 };
  readonly #after = { x: 0, v: 0, pitch: 0, pitchRate: 0 };
  readonly #trueBefore = { x: 0, v: 0, pitch: 0, pitchRate: 0 };
  readonly #trueAfter = { x: 0, v: 0, pitch: 0, pitchRate: 0 };
  /** what the estimate's x is less the task's */
  #origin = 0;
  #startX = 0;
  #steps = 0;
  #over = true;

  private constructor(body: RobotBody, gaps: readonly GapFile[], options: WheelLeggedOptions) {
    const { robot, task, dynamics, hold = 1, observation = 'paper' } = options;
    this.robot = robot;
    this.task = task;
    this.#body = body;
    this.#gaps = gaps;
    this.#varies = gaps.some((file) => rangesOf(file).length > 0);
    this.#full = observation === 'full';
    this.name = ['wheel-legged', task.name, dynamics, ...gaps.map(({ name }) => name)].join('/');
    this.observationNames = this.#full ? fullNames : paperNames;
    this.observationSize = this.observationNames.length;
    this.observationBounds = unbounded(this.observationSize);
    this.hold = hold;
    this.stepSeconds = hold * body.frameSeconds;
    const frames = task.originResetsEachEpisode ? Math.ceil(task.episodeSteps / hold) : task.episodeSteps;
    this.episodeSteps = options.episodeSteps ?? frames;
    const { hipStance, kneeStance } = robot.legs;
    this.#stance = [hipStance, kneeStance, hipStance, kneeStance];
    this.tally = new Tally(body.frameSeconds);
    this.#observation = new Float32Array(this.observationSize);
    this.#result = { observation: this.#observation, reward: 0, terminated: false, truncated: false, frames: 0 };
  }

  /** @throws EdgeError `fileUnreadable`, `gapInvalid`, `simulatorMissing`, `modelNotLoadable`; RangeError for a `hold` that is none */
  static async create(options: WheelLeggedOptions): Promise<WheelLegged> {
    const { dynamics, hold = 1, slew = dynamics === 'twin' } = options;
    if (!Number.isInteger(hold) || hold < 1)
      throw new RangeError(`an action is held for whole frames, not for ${hold}`);
    const ideal = dynamics === 'simulator';
    const robot = ideal ? idealised(options.robot) : options.robot;
    const gaps = (options.gaps ?? []).map(readGap);
    const fixed = gaps.every((file) => rangesOf(file).length === 0);
    const twin = await Twin.create({ robot, frictionless: ideal, ...(fixed && { gap: drawGap(gaps, undefined) }) });
    return new WheelLegged(new RobotBody(twin, { robot, wire: !ideal, slew }), gaps, options);
  }

  /** the twin beneath, for who wants to look at it */
  get twin(): Twin {
    return this.#body.twin;
  }

  reset(seed: number, { start = 'spread' }: ResetOptions = {}): Float32Array {
    // streams of their own: what a gap draws must not move the start
    const gap: Gap = drawGap(this.#gaps, new Random(seed ^ 0x6a905));
    if (this.#varies) this.#body.twin.changeGap(gap);
    const at = start === 'rest' ? {} : randomStart(new Random(seed ^ 0x57a27));
    this.#body.reset(seed, gap, at);
    this.#startX = at.x ?? 0;
    this.#origin = this.#body.estimate.x - this.#startX;
    this.#steps = 0;
    this.#over = false;
    this.applied[0] = 0;
    this.tally.clear();
    this.#look(this.#after, this.#trueAfter);
    return this.#observe();
  }

  resume(): Float32Array {
    this.#steps = 0;
    if (this.task.originResetsEachEpisode) {
      this.#origin = this.#body.estimate.x;
      this.#after.x = 0;
    }
    return this.#observe();
  }

  step(action: Float32Array): Step {
    checkAction(action, 1);
    if (this.#over) throw new TypeError('the episode is over: reset first');
    const scale = this.robot.policy.torqueScale;
    const wanted = Math.min(1, Math.max(-1, action[0] ?? 0)) * scale;
    let reward = 0;
    let torque = 0;
    let frames = 0;
    let fallen = false;
    while (frames < this.hold && !fallen) {
      copy(this.#before, this.#after);
      copy(this.#trueBefore, this.#trueAfter);
      this.#body.frame(wanted);
      this.#look(this.#after, this.#trueAfter);
      frames += 1;
      torque += this.#body.torque;
      reward += this.task.reward(this.#before, this.#body.torque, this.#after);
      // the robot's own sensors end the episode, as on the robot; a pitch that they misread hides no fall
      fallen = this.task.isDone(this.#after, this.robot) || this.task.isDone(this.#trueAfter, this.robot);
      this.#count();
    }
    this.#steps += 1;
    this.#over = fallen;
    this.applied[0] = torque / frames / scale;
    const result = this.#result;
    result.reward = reward / frames;
    result.terminated = fallen;
    result.truncated = !fallen && this.#steps >= this.episodeSteps;
    result.frames = frames;
    this.#observe();
    return result;
  }

  digest(): string {
    const { x, v, pitch, pitchRate } = this.#after;
    return digestOf(this.#body.twin.model.save(), Float64Array.of(x, v, pitch, pitchRate, this.#body.torque));
  }

  delete(): void {
    this.#body.twin.delete();
  }

  #look(told: { -readonly [K in keyof TaskState]: number }, truth: { -readonly [K in keyof TaskState]: number }): void {
    const { estimate, twin } = this.#body;
    copy(told, estimate);
    told.x -= this.#origin;
    const { x, speed, pitch } = twin.truth();
    truth.x = x;
    truth.v = speed;
    truth.pitch = pitch;
    truth.pitchRate = twin.pitchRate;
  }

  #count(): void {
    const { task, tally } = this;
    const { torque, frameSeconds } = this.#body;
    const { x, v, pitch } = this.#trueAfter;
    tally.balance({
      reward: task.reward(this.#trueBefore, torque, this.#trueAfter),
      offset: x - this.#startX - task.targetVelocity * (tally.frames + 1) * frameSeconds,
      speedError: v - task.targetVelocity,
      pitch,
      torque,
    });
  }

  #observe(): Float32Array {
    const vector = this.#observation;
    const { x, v, pitch, pitchRate } = this.#after;
    vector[0] = x;
    vector[1] = v;
    vector[2] = pitch;
    vector[3] = pitchRate;
    if (this.#full) this.#observeReadings(vector, 4);
    return vector;
  }

  #observeReadings(vector: Float32Array, from: number): void {
    const { gyro, acceleration, attitude, wheelVelocity, legPosition, legVelocity } = this.#body.readings;
    let at = from;
    const put = (values: readonly number[]) => {
      for (const value of values) vector[at++] = value;
    };
    const [w, x, y, z] = attitude;
    put(gyro);
    put(acceleration);
    put(upInBody({ w, x, y, z }));
    put(wheelVelocity);
    for (let joint = 0; joint < 4; joint++) vector[at++] = (legPosition[joint] ?? 0) - (this.#stance[joint] ?? 0);
    put(legVelocity);
    vector[at] = this.applied[0] ?? 0;
  }
}

function randomStart(random: Random): TwinStart {
  const within = (limit: number) => limit * (2 * random.uniform() - 1);
  return { x: within(spread.x), pitch: within(spread.pitch), pitchRate: within(spread.pitchRate) };
}

function copy(to: { -readonly [K in keyof TaskState]: number }, from: TaskState): void {
  to.x = from.x;
  to.v = from.v;
  to.pitch = from.pitch;
  to.pitchRate = from.pitchRate;
}
