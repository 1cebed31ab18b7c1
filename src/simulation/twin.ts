import { type Robot, readMjcf } from '../robot/robot.ts';
import { BodyFaults } from './faults/body-faults.ts';
import { type Gap, noGap } from './gap.ts';
import { type Grip, servoLegs, springWrench, type TorsoPose } from './hand.ts';
import { MujocoModel, type StateViews } from './mujoco.ts';
import { attitudeAngles, conjugate, multiply, pitched, type Quaternion, rotate, type Vector } from './rotation.ts';

/** [N·m] on the joints: wheels left, right; legs left hip, left knee, right hip, right knee. */
export interface Torques {
  readonly wheels: readonly [number, number];
  readonly legs: readonly [number, number, number, number];
}

/** What ideal sensors read; in the units and the order of the wire's `sensors` message. */
export interface Readings {
  readonly gyro: Vector;
  readonly acceleration: Vector;
  readonly attitude: Quaternion;
  readonly wheelPosition: readonly [number, number];
  readonly wheelVelocity: readonly [number, number];
  readonly legPosition: readonly [number, number, number, number];
  readonly legVelocity: readonly [number, number, number, number];
}

/** What no sensor tells: results come from here. */
export interface GroundTruth {
  /** of the point midway between the wheels, along the world's x axis [m] */
  readonly x: number;
  /** of that point, the way the robot faces [m/s] */
  readonly speed: number;
  /** against gravity [rad]; positive leans forward */
  readonly pitch: number;
  /** angle of the body's z axis to the vertical [rad] */
  readonly tilt: number;
  /** of the hip axis above the floor [m] */
  readonly height: number;
  /** tilted beyond `limits.tilt` */
  readonly fallen: boolean;
}

/** Where an episode starts; all zero by default. */
export interface TwinStart {
  readonly x?: number;
  readonly speed?: number;
  readonly pitch?: number;
  readonly pitchRate?: number;
}

export interface TwinOptions {
  readonly robot: Robot;
  /** the part of it that is physics applies here: gravity, friction, mass, slope; `Imperfections` takes the rest */
  readonly gap?: Gap;
  /** wheels that turn without any friction of their own, as a trainer's simulator has them; a gap's `dryFriction` still adds */
  readonly frictionless?: boolean;
}

const jointNames = ['hipLeft', 'kneeLeft', 'hipRight', 'kneeRight', 'wheelLeft', 'wheelRight'] as const;
const settleSteps = 1500;
/**
 * From the stance of another gap: nine time constants of the legs' servo. What is left is how the tyres creep, which a new twin has not
 * ended either: under twice the gravity the two differ by 5 mrad at the hip.
 */
const resettleSteps = 300;
const none = [0, 0, 0] as const;

/** The robot in MuJoCo, ideal sensors and motors, 1 kHz. Same inputs, same bits. */
export class Twin {
  readonly model: MujocoModel;
  readonly robot: Robot;
  /** [s] of one step */
  readonly timestep: number;
  readonly #stance: readonly number[];
  readonly #whole: ModelConstants;
  readonly #nominal: Float64Array;
  #views: StateViews;
  #gap: Gap;
  #stanceHeight = 0;
  #upright: Quaternion;
  #weight: number;
  #faults: BodyFaults;
  readonly #torso: number;
  readonly #wheels: readonly [number, number];
  readonly #position: readonly number[];
  readonly #velocity: readonly number[];
  readonly #accelerometer: number;
  #settled: Float64Array;
  #axleX = 0;
  #axleY = 0;
  #speed = 0;
  #push = { force: 0, steps: 0 };

  private constructor(model: MujocoModel, options: TwinOptions) {
    this.model = model;
    this.robot = options.robot;
    this.#torso = model.id('body', 'torso');
    this.#wheels = [model.id('body', 'wheelLeft'), model.id('body', 'wheelRight')];
    const gap = options.gap ?? noGap;
    const constants = model.constants();
    const joints = jointNames.map((name) => model.id('joint', name));
    this.#position = joints.map((joint) => constants.jointPosition[joint] ?? 0);
    this.#velocity = joints.map((joint) => constants.jointVelocity[joint] ?? 0);
    this.#accelerometer = constants.sensorAddress[model.id('sensor', 'acceleration')] ?? 0;
    this.timestep = constants.timestep;
    const { hipStance, kneeStance } = options.robot.legs;
    this.#stance = [hipStance, kneeStance, hipStance, kneeStance];
    this.#whole = copyConstants(model, options.frictionless ? [this.#velocity[4] ?? 0, this.#velocity[5] ?? 0] : []);
    this.#gap = gap;
    this.#upright = pitched(gap.slope);
    this.#weight = this.#applyGap(gap);
    this.#faults = this.#wholeFaults();
    this.#views = model.views();
    this.#nominal = this.#settled = this.#settle();
    this.#stanceHeight = this.#views.position[2] ?? 0;
    this.reset();
  }

  /** height of the hip axis in stance, legs sagging under the weight [m] */
  get stanceHeight(): number {
    return this.#stanceHeight;
  }

  /** orientation of an upright torso facing along x, in the floor's frame: on a slope the floor is what leans */
  get upright(): Quaternion {
    return this.#upright;
  }

  /** of the whole robot [N] */
  get weight(): number {
    return this.#weight;
  }

  /** what goes wrong with body and ground while it runs */
  get faults(): BodyFaults {
    return this.#faults;
  }

  /**
   * Another gap in place of the present one, for an episode that draws its own; `reset` comes next. What follows depends on the gap
   * alone, not on the ones before. The legs settle for a fifth of the time that a new twin takes, from its stance.
   */
  changeGap(gap: Gap): void {
    const same = physics.every((key) => gap[key] === this.#gap[key]);
    if (same && this.#settled !== this.#nominal) return;
    this.#gap = gap;
    this.#upright = pitched(gap.slope);
    this.#weight = this.#applyGap(gap);
    this.#faults = this.#wholeFaults();
    this.#settled = this.#settle(this.#nominal);
    this.#stanceHeight = this.#fresh().position[2] ?? 0;
  }

  /** @throws EdgeError `fileUnreadable`, `simulatorMissing`, `modelNotLoadable` */
  static async create(options: TwinOptions): Promise<Twin> {
    return new Twin(await MujocoModel.compile(readMjcf(options.robot)), options);
  }

  /** Stands the robot in stance, at rest unless told otherwise, its encoders such that odometry starts at `x`. */
  reset(start: TwinStart = {}): void {
    const { x = 0, speed = 0, pitch = 0, pitchRate = 0 } = start;
    const { radius } = this.robot.wheels;
    this.model.restore(this.#settled);
    const { position, velocity } = this.#fresh();
    const forward = rotate(pitched(pitch), [position[0] ?? 0, 0, (position[2] ?? 0) - radius]);
    position.set([x + forward[0], 0, radius + forward[2], ...multiply(pitched(pitch), this.upright)]);
    velocity.fill(0);
    velocity.set([speed + pitchRate * forward[2], 0, -pitchRate * forward[0], 0, pitchRate, 0]);
    for (const side of [0, 1]) {
      const legs = this.#joint(position, 2 * side) + this.#joint(position, 2 * side + 1);
      position[this.#position[4 + side] ?? 0] = x / radius - pitch - legs;
      velocity[this.#velocity[4 + side] ?? 0] = speed / radius - pitchRate;
    }
    this.#push = { force: 0, steps: 0 };
    this.model.forward();
    [this.#axleX, this.#axleY] = this.#axle();
    this.#speed = speed;
  }

  /**
   * One step of 1 ms.
   * @param grip what a hand adds
   * @throws Error when the state is no longer a number
   */
  step(torques: Torques, grip?: Grip): void {
    const { control } = this.#fresh();
    for (let leg = 0; leg < 4; leg++) control[leg] = (torques.legs[leg] ?? 0) + (grip?.legs[leg] ?? 0);
    control[4] = torques.wheels[0];
    control[5] = torques.wheels[1];
    this.#advance(grip);
  }

  /**
   * One step of 1 ms with the legs held in stance by the motor controller's servo, as in `step` with the torques of `servoLegs`, bit by
   * bit. Allocates nothing.
   * @param wheels [N·m] left, right
   */
  drive(wheels: readonly [number, number]): void {
    const { control, position, velocity } = this.#fresh();
    const { stiffness, damping, torqueLimit } = this.robot.legs;
    for (let leg = 0; leg < 4; leg++) {
      const error = (this.#stance[leg] ?? 0) - this.#joint(position, leg);
      const wanted = stiffness * error - damping * (velocity[this.#velocity[leg] ?? 0] ?? 0);
      control[leg] = Math.max(-torqueLimit, Math.min(torqueLimit, wanted));
    }
    control[4] = wheels[0];
    control[5] = wheels[1];
    this.#advance(undefined);
  }

  #advance(grip: Grip | undefined): void {
    const { control, bodyForce, position } = this.#fresh();
    // MuJoCo would take zero for it, without a word
    if (!control.every(Number.isFinite)) throw new Error(`a torque is not a number: ${control.join(', ')}`);
    const at = 6 * this.#torso;
    const pushed = this.#push.steps > 0 ? this.#push.force : 0;
    if (this.#push.steps > 0) this.#push.steps -= 1;
    bodyForce[at] = (grip?.force[0] ?? 0) + pushed;
    bodyForce[at + 1] = grip?.force[1] ?? 0;
    bodyForce[at + 2] = grip?.force[2] ?? 0;
    bodyForce.set(grip?.torque ?? none, at + 3);
    this.model.step();
    this.#measureSpeed();
    if (!Number.isFinite(position[2])) throw new Error('the simulated state is not a number: the physics has diverged');
  }

  /** Pushes the torso forward (negative: back) from the next step on. */
  push(newtons: number, seconds: number): void {
    this.#push = { force: newtons, steps: Math.round(seconds / this.timestep) };
  }

  /** What ideal sensors would read now; the acceleration is the last step's. */
  read(): Readings {
    const { position, velocity, sensors } = this.#fresh();
    const at = this.#accelerometer;
    const angle = (joint: number) => this.#joint(position, joint);
    const rate = (joint: number) => velocity[this.#velocity[joint] ?? 0] ?? 0;
    return {
      gyro: [velocity[3] ?? 0, velocity[4] ?? 0, velocity[5] ?? 0],
      acceleration: [sensors[at] ?? 0, sensors[at + 1] ?? 0, sensors[at + 2] ?? 0],
      attitude: this.#attitude(),
      wheelPosition: [angle(4), angle(5)],
      wheelVelocity: [rate(4), rate(5)],
      legPosition: [angle(0), angle(1), angle(2), angle(3)],
      legVelocity: [rate(0), rate(1), rate(2), rate(3)],
    };
  }

  truth(): GroundTruth {
    const { position } = this.#fresh();
    const { pitch, tilt } = attitudeAngles(this.#attitude());
    return {
      x: this.#axleX,
      speed: this.#speed,
      pitch,
      tilt,
      height: position[2] ?? 0,
      fallen: tilt > this.robot.limits.tilt,
    };
  }

  /** true rate about the body's y axis [rad/s] */
  get pitchRate(): number {
    return this.#fresh().velocity[4] ?? 0;
  }

  /** Of the torso, in the floor's frame, as a hand feels it. */
  pose(): TorsoPose {
    const { position, velocity } = this.#fresh();
    const { legPosition, legVelocity, gyro } = this.read();
    return {
      position: [position[0] ?? 0, position[1] ?? 0, position[2] ?? 0],
      velocity: [velocity[0] ?? 0, velocity[1] ?? 0, velocity[2] ?? 0],
      orientation: [position[3] ?? 1, position[4] ?? 0, position[5] ?? 0, position[6] ?? 0],
      angularVelocity: gyro,
      legPosition,
      legVelocity,
    };
  }

  /** Frees the model. */
  delete(): void {
    this.model.delete();
  }

  #wholeFaults(): BodyFaults {
    return new BodyFaults(this.model, this.#torso, [this.#velocity[4] ?? 0, this.#velocity[5] ?? 0]);
  }

  #applyGap(gap: Gap): number {
    const constants = this.model.constants();
    for (const name of changeable) constants[name].set(this.#whole[name]);
    const { gravity, geomFriction, bodyMass, bodyInertia, bodyCenter, dofFrictionLoss } = constants;
    const fall = Math.hypot(...gravity) * gap.gravityScale;
    gravity.set([-fall * Math.sin(gap.slope), 0, -fall * Math.cos(gap.slope)]);
    // sliding, torsional, rolling friction of each geom: all of them, since a contact takes the larger of two
    for (let i = 0; i < geomFriction.length; i++) geomFriction[i] = (geomFriction[i] ?? 0) * gap.frictionScale;
    for (let i = 0; i < bodyMass.length; i++) bodyMass[i] = (bodyMass[i] ?? 0) * gap.massScale;
    for (let i = 0; i < bodyInertia.length; i++) bodyInertia[i] = (bodyInertia[i] ?? 0) * gap.massScale;
    bodyCenter[3 * this.#torso] = (bodyCenter[3 * this.#torso] ?? 0) + gap.centerOfMassShift;
    for (const wheel of [4, 5]) {
      const dof = this.#velocity[wheel] ?? 0;
      dofFrictionLoss[dof] = (dofFrictionLoss[dof] ?? 0) + gap.dryFriction;
    }
    this.model.constantsChanged();
    return fall * bodyMass.reduce((sum, mass) => sum + mass, 0);
  }

  /**
   * Lets the legs sag under a torso that is kept upright; the state that `reset` starts from.
   * @param from a settled state of another gap
   */
  #settle(from?: Float64Array): Float64Array {
    const stance = this.#stance;
    if (from) this.model.restore(from);
    else this.model.reset();
    const { position, velocity } = this.#fresh();
    if (!from) {
      stance.forEach((angle, joint) => {
        position[this.#position[joint] ?? 0] = angle;
      });
    }
    position.set(this.upright, 3);
    this.model.forward();
    const start = this.pose().position;
    for (let i = 0; i < (from ? resettleSteps : settleSteps); i++) {
      const pose = this.pose();
      // held against tipping and rolling away, free to sink
      const target: Vector = [start[0], start[1], pose.position[2]];
      const { force, torque } = springWrench(pose, { position: target, orientation: this.upright });
      const legs = servoLegs(this.robot, pose, stance);
      this.step({ wheels: [0, 0], legs: [0, 0, 0, 0] }, { force: [force[0], force[1], 0], torque, legs });
    }
    // the springs gave a little: straighten the torso, keep the wheels on the floor
    const axleHeight = this.#axle()[2];
    velocity.fill(0);
    position.set(this.upright, 3);
    this.model.forward();
    const [x, y, height] = this.#axle();
    position.set([(position[0] ?? 0) - x, (position[1] ?? 0) - y, (position[2] ?? 0) + axleHeight - height]);
    this.model.forward();
    return this.model.save();
  }

  /** The point midway between the wheels. */
  #axle(): [x: number, y: number, z: number] {
    const { bodyPosition } = this.#fresh();
    const [left, right] = this.#wheels;
    const mean = (axis: number) => ((bodyPosition[3 * left + axis] ?? 0) + (bodyPosition[3 * right + axis] ?? 0)) / 2;
    return [mean(0), mean(1), mean(2)];
  }

  #measureSpeed(): void {
    const { bodyPosition } = this.#fresh();
    const [left, right] = this.#wheels;
    const x = ((bodyPosition[3 * left] ?? 0) + (bodyPosition[3 * right] ?? 0)) / 2;
    const y = ((bodyPosition[3 * left + 1] ?? 0) + (bodyPosition[3 * right + 1] ?? 0)) / 2;
    // the axle points left; forward is a quarter turn from it, whichever way the torso hangs
    const across = (bodyPosition[3 * left] ?? 0) - (bodyPosition[3 * right] ?? 0);
    const along = (bodyPosition[3 * left + 1] ?? 0) - (bodyPosition[3 * right + 1] ?? 0);
    const width = Math.hypot(across, along) || 1;
    this.#speed = ((x - this.#axleX) * along - (y - this.#axleY) * across) / width / this.timestep;
    this.#axleX = x;
    this.#axleY = y;
  }

  /** Of the body against gravity. */
  #attitude(): Quaternion {
    const { position } = this.#fresh();
    const inFloor: Quaternion = [position[3] ?? 1, position[4] ?? 0, position[5] ?? 0, position[6] ?? 0];
    return multiply(conjugate(this.upright), inFloor);
  }

  #joint(position: Float64Array, joint: number): number {
    return position[this.#position[joint] ?? 0] ?? 0;
  }

  #fresh(): StateViews {
    if (this.#views.detached) this.#views = this.model.views();
    return this.#views;
  }
}

/** What a gap changes in the model. */
const changeable = ['gravity', 'geomFriction', 'bodyMass', 'bodyInertia', 'bodyCenter', 'dofFrictionLoss'] as const;
type ModelConstants = Readonly<Record<(typeof changeable)[number], Float64Array>>;
/** The keys of a gap that the physics knows; drives and sensors take the rest. */
const physics = [
  'gravityScale',
  'frictionScale',
  'massScale',
  'dryFriction',
  'centerOfMassShift',
  'slope',
] as const satisfies readonly (keyof Gap)[];

function copyConstants(model: MujocoModel, frictionless: readonly number[]): ModelConstants {
  const constants = model.constants();
  const dofFrictionLoss = constants.dofFrictionLoss.slice();
  for (const dof of frictionless) dofFrictionLoss[dof] = 0;
  return {
    gravity: constants.gravity.slice(),
    geomFriction: constants.geomFriction.slice(),
    bodyMass: constants.bodyMass.slice(),
    bodyInertia: constants.bodyInertia.slice(),
    bodyCenter: constants.bodyCenter.slice(),
    dofFrictionLoss,
  };
}
