import type { Robot } from '../robot/robot.ts';

type Pair = readonly [number, number];

/** What one frame says of the wheels; left before right. */
export interface WheelSample {
  /** of each wheel against the ground, from encoders, legs and gyro [rad/s] */
  readonly groundSpeed: Pair;
  /** against the shank [rad/s] */
  readonly wheelVelocity: Pair;
  /** torque that the MCU applied since the sample before [N·m] */
  readonly applied: Pair;
  /** torque that the motors measured; undefined where they do not [N·m] */
  readonly measured: Pair | undefined;
  /** gyro [rad/s] */
  readonly pitchRate: number;
  readonly yawRate: number;
  /** of the body, horizontal and the way it faces, by the accelerometer [m/s²] */
  readonly forwardAcceleration: number;
  /** since the frame before [s] */
  readonly dt: number;
  /** the stream begins here */
  readonly first: boolean;
}

/** How long a difference between wheels and body is remembered [s]: longer, and a tilted accelerometer would add up. */
const SLIP_MEMORY = 0.3;
/** Time over which the two wheels are compared with the gyro [s]. */
const YAW_MEAN = 0.1;
/** Time over which torque is averaged [s]: noise on every action, as in one of the gaps, must not look like a dead motor. */
const TORQUE_MEAN = 0.25;
/** Time over which torque and acceleration of a wheel are compared [s]; upkie: 0.2 s. */
const INERTIA_MEAN = 0.2;
/** Wheels accelerate over this time, or the encoders' noise is all that is seen [s]. */
const BASELINE = 0.025;
/** Below this nothing is said of a wheel's inertia: rms torque [N·m], rms acceleration [rad/s²]. */
const LEAST_TORQUE = 0.05;
const LEAST_ACCELERATION = 20;

/** What can be said of the wheels by looking at them for a moment; the failsafe table judges it. */
export class WheelWatch {
  /** speed of the wheels' contact less that of the body over it [m/s] */
  slip = 0;
  /** torque per wheel acceleration, of the wheel that has more of it [kg·m²]; infinite where too little happens to tell */
  apparentInertia = Number.POSITIVE_INFINITY;
  /** measured less applied torque, the worse wheel [N·m]; NaN where none is measured */
  torqueError = Number.NaN;
  readonly #robot: Robot;
  readonly #left = new InertiaMeter();
  readonly #right = new InertiaMeter();
  #difference = 0;
  #lag = 0;
  #speed: number | undefined;
  #torqueErrors: [number, number] = [0, 0];

  constructor(robot: Robot) {
    this.#robot = robot;
  }

  update(sample: WheelSample): void {
    if (sample.first) this.#restart();
    const dt = sample.dt > 0 ? Math.min(sample.dt, BASELINE) : 0;
    this.#slip(sample, dt);
    this.#track(sample, dt);
    const [left, right] = sample.wheelVelocity;
    const [torqueLeft, torqueRight] = sample.measured ?? sample.applied;
    this.#left.update(left, torqueLeft, dt);
    this.#right.update(right, torqueRight, dt);
    this.apparentInertia = Math.max(this.#left.inertia, this.#right.inertia);
  }

  #restart(): void {
    this.#difference = 0;
    this.#lag = 0;
    this.#speed = undefined;
    this.#torqueErrors = [0, 0];
    this.#left.reset();
    this.#right.reset();
  }

  /** Wheels against each other by the gyro's yaw rate, and both against the accelerometer. */
  #slip({ groundSpeed: [left, right], pitchRate, yawRate, forwardAcceleration }: WheelSample, dt: number): void {
    const { radius, track } = this.#robot.wheels;
    const share = Math.min(1, dt / YAW_MEAN);
    this.#difference += share * (radius * (right - left) - track * yawRate - this.#difference);
    // The accelerometer rides on the body, about as high above the axle as the centre of mass.
    const speed = (radius * (left + right)) / 2 + pitchRate * this.#robot.body.centerOfMassHeight;
    const gained = speed - (this.#speed ?? speed);
    this.#speed = speed;
    this.#lag = (this.#lag + gained - forwardAcceleration * dt) * (1 - Math.min(1, dt / SLIP_MEMORY));
    this.slip = Math.max(Math.abs(this.#difference), Math.abs(this.#lag));
    if (Number.isFinite(this.slip)) return;
    // What is not finite now must not be remembered; this frame has said what it had to say.
    this.#difference = 0;
    this.#lag = 0;
    this.#speed = undefined;
  }

  #track({ applied, measured }: WheelSample, dt: number): void {
    if (measured === undefined) {
      this.torqueError = Number.NaN;
      return;
    }
    const share = Math.min(1, dt / TORQUE_MEAN);
    const [left, right] = this.#torqueErrors;
    this.#torqueErrors = [
      left + share * (measured[0] - applied[0] - left),
      right + share * (measured[1] - applied[1] - right),
    ];
    this.torqueError = Math.max(Math.abs(this.#torqueErrors[0]), Math.abs(this.#torqueErrors[1]));
  }
}

/**
 * Apparent inertia of one wheel: torque per acceleration, by least squares over a moment. A wheel on the ground has to move
 * the robot; one in the air has only itself to turn. After Upkie's rule, which divides means of absolute values.
 */
class InertiaMeter {
  inertia = Number.POSITIVE_INFINITY;
  #from: number | undefined;
  #elapsed = 0;
  #impulse = 0;
  #torqueSquare = 0;
  #accelerationSquare = 0;
  #product = 0;

  reset(): void {
    this.#from = undefined;
    this.#elapsed = 0;
    this.#impulse = 0;
    this.#torqueSquare = 0;
    this.#accelerationSquare = 0;
    this.#product = 0;
    this.inertia = Number.POSITIVE_INFINITY;
  }

  update(velocity: number, torque: number, dt: number): void {
    if (!Number.isFinite(velocity) || !Number.isFinite(torque)) {
      this.reset();
      return;
    }
    this.#from ??= velocity;
    this.#elapsed += dt;
    this.#impulse += torque * dt;
    if (this.#elapsed < BASELINE) return;
    const acceleration = (velocity - this.#from) / this.#elapsed;
    const mean = this.#impulse / this.#elapsed;
    const share = Math.min(1, this.#elapsed / INERTIA_MEAN);
    this.#torqueSquare += share * (mean * mean - this.#torqueSquare);
    this.#accelerationSquare += share * (acceleration * acceleration - this.#accelerationSquare);
    this.#product += share * (mean * acceleration - this.#product);
    this.#from = velocity;
    this.#elapsed = 0;
    this.#impulse = 0;
    const tells = this.#torqueSquare > LEAST_TORQUE ** 2 && this.#accelerationSquare > LEAST_ACCELERATION ** 2;
    // Torque against the motion is gravity at work, which no wheel in the air knows.
    this.inertia = tells && this.#product > 0 ? this.#torqueSquare / this.#product : Number.POSITIVE_INFINITY;
  }
}
