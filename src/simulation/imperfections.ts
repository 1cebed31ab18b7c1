import type { Random } from '../random.ts';
import type { Robot } from '../robot/robot.ts';
import type { Gap } from './gap.ts';
import { conjugate, fromRotationVector, multiply, pitched, type Quaternion, rotate, type Vector } from './rotation.ts';
import type { Readings } from './twin.ts';

type Pair = readonly [number, number];

/** First in, first out, `length` steps long; filled with `first`. */
export class DelayLine<T> {
  readonly #slots: T[];
  #next = 0;

  constructor(length: number, first: T) {
    this.#slots = Array.from({ length }, () => first);
  }

  /** Puts one value in and takes the one of `length` steps ago out. */
  shift(value: T): T {
    if (this.#slots.length === 0) return value;
    const old = this.#slots[this.#next] ?? value;
    this.#slots[this.#next] = value;
    this.#next = (this.#next + 1) % this.#slots.length;
    return old;
  }
}

/** [ms] to steps of 1 kHz. */
const steps = (milliseconds: number) => Math.round(milliseconds);

/** Age of a reading [ms], whole. */
export const sensorDelay = (robot: Robot, gap: Gap): number => steps(robot.twin.sensorDelay + gap.extraSensorDelay);

/**
 * From the torque that the MCU commands to the torque at the wheels, at 1 kHz: delay, motor constant, action noise. The delay is the
 * wheel drives'; the legs' servo runs inside their own drives.
 */
export class WheelDrives {
  readonly #delay: DelayLine<Pair>;
  readonly #constant: number;
  readonly #noise: number;
  readonly #limit: number;
  readonly #stepsPerDecision: number;
  readonly #random: Random;
  #step = 0;
  #disturbance = 0;

  constructor(robot: Robot, gap: Gap, random: Random) {
    this.#delay = new DelayLine<Pair>(steps(robot.timing.actuationDelay + gap.extraActuationDelay), [0, 0]);
    this.#constant = robot.twin.motorConstant * gap.motorConstantScale;
    // an action is the total of both wheels
    this.#noise = (gap.actionNoise * robot.policy.torqueScale) / 2;
    this.#limit = robot.policy.torqueScale / 2;
    this.#stepsPerDecision = Math.max(1, Math.round(1000 / robot.policy.rate));
    this.#random = random;
  }

  /** One millisecond. @returns [N·m] delivered at the wheels, before their friction */
  deliver(commanded: Pair): Pair {
    if (this.#noise > 0 && this.#step % this.#stepsPerDecision === 0) {
      this.#disturbance = this.#noise * this.#random.gaussian();
    }
    this.#step += 1;
    const delayed = this.#delay.shift(commanded);
    if (this.#noise === 0 && this.#constant === 1) return delayed;
    const [left, right] = delayed;
    return [this.#disturb(left) * this.#constant, this.#disturb(right) * this.#constant];
  }

  /** The authors' simulator clips action plus noise to the action's range; a command that is beyond it already stays. */
  #disturb(torque: number): number {
    if (this.#noise === 0) return torque;
    const limit = Math.max(this.#limit, Math.abs(torque));
    return Math.max(-limit, Math.min(limit, torque + this.#disturbance));
  }
}

/** From what ideal sensors read to what the robot's sensors tell: age, a skewed IMU, noise. Quantisation is the wire's. */
export class Sensors<T extends Readings> {
  readonly #robot: Robot;
  /** from the IMU, which leans forward by the pitch bias, to the body */
  readonly #skew: Quaternion | undefined;
  readonly #random: Random;
  readonly #delay: DelayLine<T>;
  #aged: T;

  /** @param delay readings that are taken before one comes out; left out: one a millisecond is taken */
  constructor(robot: Robot, gap: Gap, random: Random, first: T, delay = sensorDelay(robot, gap)) {
    this.#robot = robot;
    this.#skew = gap.pitchBias === 0 ? undefined : pitched(gap.pitchBias);
    this.#random = random;
    this.#delay = new DelayLine(delay, first);
    this.#aged = first;
  }

  /** Takes the ideal readings. */
  take(ideal: T): void {
    this.#aged = this.#delay.shift(ideal);
  }

  /** What the sensors tell now; every call draws new noise. */
  read(): T {
    const { gyroNoise, accelerationNoise, attitudeNoise, wheelVelocityNoise } = this.#robot.twin;
    const aged = this.#aged;
    const skewed = (vector: Vector) => (this.#skew ? rotate(conjugate(this.#skew), vector) : vector);
    const attitude = this.#skew ? multiply(aged.attitude, this.#skew) : aged.attitude;
    const [left, right] = aged.wheelVelocity;
    return {
      ...aged,
      gyro: this.#noisy(skewed(aged.gyro), gyroNoise),
      acceleration: this.#noisy(skewed(aged.acceleration), accelerationNoise),
      attitude: multiply(attitude, fromRotationVector(this.#noisy([0, 0, 0], attitudeNoise))),
      wheelVelocity: [
        left + wheelVelocityNoise * this.#random.gaussian(),
        right + wheelVelocityNoise * this.#random.gaussian(),
      ],
    };
  }

  #noisy([x, y, z]: Vector, deviation: number): Vector {
    const draw = () => deviation * this.#random.gaussian();
    return [x + draw(), y + draw(), z + draw()];
  }
}

/** A robot without imperfections beyond what its file calls physics: for tests and for the trainer's own simulator. */
export function idealised(robot: Robot): Robot {
  return {
    ...robot,
    timing: { ...robot.timing, actuationDelay: 0 },
    twin: {
      ...robot.twin,
      gyroNoise: 0,
      accelerationNoise: 0,
      attitudeNoise: 0,
      wheelVelocityNoise: 0,
      sensorDelay: 0,
      motorConstant: 1,
    },
  };
}
