import { angleBetweenAttitudes, integrateRate, type Quaternion, turnTowards } from '../robot/kinematics.ts';

type Vector = readonly [number, number, number];

/** What one frame says of the IMU. */
export interface ImuSample {
  readonly gyro: Vector;
  readonly acceleration: Vector;
  /** the IMU's own; undefined where it has none */
  readonly attitude: Quaternion | undefined;
  /** since the frame before [s] */
  readonly dt: number;
  /** the stream begins here */
  readonly first: boolean;
}

/** Time over which the gyro is integrated before it is forgotten [s]. */
const MEMORY = 1;
/** Time over which the accelerometer is averaged [s]. */
const FORCE_MEAN = 0.5;
/** Turned this far, an attitude that has not changed by a bit is frozen [rad]: six hundred steps of the wire. */
const TURNED = 0.02;
/** No frame is further from the one before, as far as averages go [s]. */
const LONGEST_STEP = 0.1;

/** What can be said of an IMU by looking at its samples one after the other; the failsafe table judges it. */
export class ImuWatch {
  /**
   * for how long gyro or accelerometer has said the same to the last bit, or the attitude although the gyro says that the
   * body has turned [µs]
   */
  stuckUs = 0;
  /** between the attitude and the gyro's integral over the latest second [rad]; 0 where there is no attitude */
  attitudeError = 0;
  /** mean length of the accelerometer's vector [m/s²] */
  meanSpecificForce = Number.NaN;
  #gyroUs = 0;
  #accelerationUs = 0;
  #gyro: Vector | undefined;
  #acceleration: Vector | undefined;
  #integrated: Quaternion | undefined;
  /** the latest attitude, since when it is the same, and how far the gyro has turned meanwhile [rad] */
  #attitude: Quaternion | undefined;
  #attitudeUs = 0;
  #turned: Vector = [0, 0, 0];

  /** All that it remembers, as plain data. */
  remember() {
    return {
      stuckUs: this.stuckUs,
      attitudeError: this.attitudeError,
      meanSpecificForce: this.meanSpecificForce,
      gyroUs: this.#gyroUs,
      accelerationUs: this.#accelerationUs,
      gyro: this.#gyro,
      acceleration: this.#acceleration,
      integrated: this.#integrated,
      attitude: this.#attitude,
      attitudeUs: this.#attitudeUs,
      turned: this.#turned,
    };
  }

  recall(memory: ReturnType<ImuWatch['remember']>): void {
    this.stuckUs = memory.stuckUs;
    this.attitudeError = memory.attitudeError;
    this.meanSpecificForce = memory.meanSpecificForce;
    this.#gyroUs = memory.gyroUs;
    this.#accelerationUs = memory.accelerationUs;
    this.#gyro = memory.gyro;
    this.#acceleration = memory.acceleration;
    this.#integrated = memory.integrated;
    this.#attitude = memory.attitude;
    this.#attitudeUs = memory.attitudeUs;
    this.#turned = memory.turned;
  }

  update({ gyro, acceleration, attitude, dt, first }: ImuSample): void {
    if (first) this.#restart();
    const step = dt > 0 ? Math.min(dt, LONGEST_STEP) : 0;
    this.#gyroUs = isSame(this.#gyro, gyro) ? this.#gyroUs + dt * 1e6 : 0;
    this.#accelerationUs = isSame(this.#acceleration, acceleration) ? this.#accelerationUs + dt * 1e6 : 0;
    this.#gyro = gyro;
    this.#acceleration = acceleration;
    this.#followAttitude(gyro, attitude, dt);
    const still = Math.hypot(...this.#turned) > TURNED ? this.#attitudeUs : 0;
    this.stuckUs = Math.max(this.#gyroUs, this.#accelerationUs, still);

    const force = Math.hypot(acceleration[0], acceleration[1], acceleration[2]);
    const before = Number.isFinite(this.meanSpecificForce) ? this.meanSpecificForce : force;
    this.meanSpecificForce = before + (force - before) * Math.min(1, step / FORCE_MEAN);
    this.#compare(gyro, attitude, step);
  }

  /** An attitude at rest may well repeat itself; one that does while the body turns is frozen. */
  #followAttitude(gyro: Vector, attitude: Quaternion | undefined, dt: number): void {
    const before = this.#attitude;
    this.#attitude = attitude;
    const same =
      before !== undefined &&
      attitude !== undefined &&
      before.w === attitude.w &&
      before.x === attitude.x &&
      before.y === attitude.y &&
      before.z === attitude.z;
    if (!same) {
      this.#attitudeUs = 0;
      this.#turned = [0, 0, 0];
      return;
    }
    this.#attitudeUs += dt * 1e6;
    const [x, y, z] = this.#turned;
    this.#turned = [x + gyro[0] * dt, y + gyro[1] * dt, z + gyro[2] * dt];
  }

  #restart(): void {
    this.#attitude = undefined;
    this.#attitudeUs = 0;
    this.#turned = [0, 0, 0];
    this.#gyro = undefined;
    this.#acceleration = undefined;
    this.#integrated = undefined;
    this.meanSpecificForce = Number.NaN;
  }

  /** The integral is drawn slowly towards the attitude, so that a gyro's bias does not add up for ever. */
  #compare(gyro: Vector, attitude: Quaternion | undefined, step: number): void {
    if (attitude === undefined) {
      this.attitudeError = 0;
      this.#integrated = undefined;
      return;
    }
    const length = Math.hypot(attitude.w, attitude.x, attitude.y, attitude.z);
    // No rotation at all: that has a condition of its own, and here nothing can be compared.
    if (!(length > 0.5 && length < 2)) return;
    const believed = this.#integrated ? integrateRate(this.#integrated, gyro, step) : attitude;
    if (!Number.isFinite(believed.w)) {
      this.#integrated = undefined;
      this.attitudeError = Number.NaN;
      return;
    }
    this.attitudeError = angleBetweenAttitudes(believed, attitude);
    this.#integrated = turnTowards(believed, attitude, step / MEMORY);
  }
}

const isSame = (before: Vector | undefined, now: Vector): boolean =>
  before !== undefined && before[0] === now[0] && before[1] === now[1] && before[2] === now[2];
