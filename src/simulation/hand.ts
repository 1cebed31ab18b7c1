import type { Robot } from '../robot/robot.ts';
import {
  conjugate,
  fromRotationVector,
  multiply,
  type Quaternion,
  rotate,
  toRotationVector,
  type Vector,
} from './rotation.ts';

/** How the torso is and moves, in the floor's frame. */
export interface TorsoPose {
  /** of the hip axis [m] */
  readonly position: Vector;
  readonly velocity: Vector;
  readonly orientation: Quaternion;
  /** body frame [rad/s] */
  readonly angularVelocity: Vector;
  readonly legPosition: readonly number[];
  readonly legVelocity: readonly number[];
}

/** What the hand does to the robot during one step: a wrench on the torso (floor's frame) and torques on the legs that it folds. */
export interface Grip {
  readonly force: Vector;
  readonly torque: Vector;
  /** [N·m] left hip, left knee, right hip, right knee */
  readonly legs: readonly [number, number, number, number];
}

/** Springs of a firm grip: stiff against 12 kg, critically damped. Explicit at 1 kHz they stay far from their limit. */
const linearStiffness = 3000; // N/m
const linearDamping = 380; // N·s/m
const angularStiffness = 150; // N·m/rad
const angularDamping = 15; // N·m·s/rad

const riseSeconds = 0.8;
const lowerSeconds = 0.4;
const releaseSeconds = 0.2;
/** how much above its stance a lifted robot passes, so that the legs unfold clear of the floor [m] */
const clearance = 0.06;

/** Wrench of the springs between a torso and where it should be. */
export function springWrench(
  pose: TorsoPose,
  target: { position: Vector; orientation: Quaternion },
): { force: Vector; torque: Vector } {
  const error = toRotationVector(multiply(target.orientation, conjugate(pose.orientation)));
  const rate = rotate(pose.orientation, pose.angularVelocity);
  const force = (axis: 0 | 1 | 2) =>
    linearStiffness * (target.position[axis] - pose.position[axis]) - linearDamping * pose.velocity[axis];
  const torque = (axis: 0 | 1 | 2) => angularStiffness * error[axis] - angularDamping * rate[axis];
  return { force: [force(0), force(1), force(2)], torque: [torque(0), torque(1), torque(2)] };
}

/** Torques of the legs' own servo towards a pose, within the drives' limit. */
export function servoLegs(robot: Robot, pose: TorsoPose, target: readonly number[]): Grip['legs'] {
  const { stiffness, damping, torqueLimit } = robot.legs;
  const torque = (joint: number) => {
    const error = (target[joint] ?? 0) - (pose.legPosition[joint] ?? 0);
    const wanted = stiffness * error - damping * (pose.legVelocity[joint] ?? 0);
    return Math.max(-torqueLimit, Math.min(torqueLimit, wanted));
  };
  return [torque(0), torque(1), torque(2), torque(3)];
}

export interface HandOptions {
  readonly robot: Robot;
  /** height of the hip axis with the legs in stance, sagging as they do [m] */
  readonly stanceHeight: number;
  /** orientation of an upright torso that faces along x, in the floor's frame */
  readonly upright: Quaternion;
  /** [N] to carry the whole robot */
  readonly weight: number;
}

type Phase =
  | { readonly name: 'away' }
  | { readonly name: 'holding' }
  | { readonly name: 'lifting' | 'releasing'; seconds: number };

/**
 * Stands in for the person who lifts a robot: holds the torso upright at stance height by springs and folds the legs into stance.
 * It lets go, smoothly, once the motor controller is active, and never comes back by itself.
 */
export class Hand {
  readonly #options: HandOptions;
  #phase: Phase = { name: 'away' };
  #position: Vector = [0, 0, 0];
  #heading: Quaternion = [1, 0, 0, 0];
  #from: TorsoPose | undefined;
  /** how often somebody had to lift the robot */
  lifts = 0;

  constructor(options: HandOptions) {
    this.#options = options;
  }

  get holds(): boolean {
    return this.#phase.name !== 'away';
  }

  /** Takes hold of a robot that stands in stance. Not a lift. */
  hold(pose: TorsoPose): void {
    this.#grab(pose);
    this.#phase = { name: 'holding' };
  }

  /** Raises the robot from wherever it lies to its stance, at the place where it is, within 1.2 s. */
  lift(pose: TorsoPose): void {
    this.#grab(pose);
    this.#phase = { name: 'lifting', seconds: 0 };
    this.lifts += 1;
  }

  /** Lets go at once. */
  drop(): void {
    this.#phase = { name: 'away' };
  }

  /**
   * One step.
   * @param active whether the motor controller drives the robot: the hand then lets go, after a lift that is under way
   * @returns the grip, undefined while the hand is away
   */
  act(pose: TorsoPose, seconds: number, active: boolean): Grip | undefined {
    const phase = this.#phase;
    switch (phase.name) {
      case 'away':
        return undefined;
      case 'holding':
        if (active) this.#phase = { name: 'releasing', seconds: 0 };
        return this.#grip(pose, 1, 1);
      case 'releasing':
        phase.seconds += seconds;
        if (phase.seconds >= releaseSeconds) this.#phase = { name: 'away' };
        return this.#grip(pose, Math.max(0, 1 - phase.seconds / releaseSeconds), 1);
      case 'lifting':
        phase.seconds += seconds;
        if (phase.seconds >= riseSeconds + lowerSeconds) this.#phase = { name: 'holding' };
        return this.#grip(pose, 1, phase.seconds / riseSeconds);
    }
  }

  #grab(pose: TorsoPose): void {
    const [x, y] = pose.position;
    // where the nose points, seen from above; a robot on its back is turned over, not round
    const nose = rotate(multiply(conjugate(this.#options.upright), pose.orientation), [1, 0, 0]);
    const yaw = Math.hypot(nose[0], nose[1]) < 0.05 ? 0 : Math.atan2(nose[1], nose[0]);
    this.#position = [x, y, this.#options.stanceHeight];
    this.#heading = multiply(this.#options.upright, fromRotationVector([0, 0, yaw]));
    this.#from = pose;
  }

  /** @param progress of the rise; above 1 the robot is being set down, and its legs take the weight back */
  #grip(pose: TorsoPose, strength: number, progress: number): Grip {
    const { robot, weight } = this.#options;
    const { hipStance, kneeStance } = robot.legs;
    const stance = [hipStance, kneeStance, hipStance, kneeStance];
    if (this.#phase.name !== 'lifting' || !this.#from) {
      const wrench = springWrench(pose, { position: this.#position, orientation: this.#heading });
      return scaled({ ...wrench, legs: servoLegs(robot, pose, stance) }, strength);
    }
    const raised = smooth(progress);
    const lowered = smooth(((progress - 1) * riseSeconds) / lowerSeconds);
    const from = this.#from;
    const height = mix(from.position[2], this.#position[2] + clearance, raised) - clearance * lowered;
    const turn = toRotationVector(multiply(this.#heading, conjugate(from.orientation)));
    const part = fromRotationVector([turn[0] * raised, turn[1] * raised, turn[2] * raised]);
    const wrench = springWrench(pose, {
      position: [this.#position[0], this.#position[1], height],
      orientation: multiply(part, from.orientation),
    });
    const legs = stance.map((angle, joint) => mix(from.legPosition[joint] ?? angle, angle, raised));
    const carried = weight * Math.min(1, progress * 4) * (1 - lowered);
    return {
      force: [wrench.force[0], wrench.force[1], wrench.force[2] + carried],
      torque: wrench.torque,
      legs: servoLegs(robot, pose, legs),
    };
  }
}

function mix(from: number, to: number, share: number): number {
  return from + (to - from) * share;
}

/** 0 to 1 without a jerk at either end. */
function smooth(progress: number): number {
  const t = Math.max(0, Math.min(1, progress));
  return t * t * (3 - 2 * t);
}

function scaled(grip: Grip, by: number): Grip {
  const { force, torque, legs } = grip;
  return {
    force: [force[0] * by, force[1] * by, force[2] * by],
    torque: [torque[0] * by, torque[1] * by, torque[2] * by],
    legs: [legs[0] * by, legs[1] * by, legs[2] * by, legs[3] * by],
  };
}
