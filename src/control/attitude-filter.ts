import { type Quaternion, upInBody } from '../robot/kinematics.ts';

/** Time in which the accelerometer pulls the attitude towards its own [s]: long against the robot's own acceleration. */
const TIME_CONSTANT = 1;

type Vector = readonly [number, number, number];

const UNKNOWN: Quaternion = { w: Number.NaN, x: Number.NaN, y: Number.NaN, z: Number.NaN };

/**
 * Complementary filter for an IMU that does not fuse its own attitude: the gyro is integrated, the accelerometer says
 * slowly where down is. Yaw starts at zero and drifts with the gyro's bias.
 * After Mahony, Hamel, Pflimlin, "Nonlinear complementary filters on the special orthogonal group", 2008, without bias.
 */
export class AttitudeFilter {
  #q: Quaternion | undefined;

  /** All that it remembers, as plain data; see `tape/snapshot.ts`. */
  remember() {
    return { attitude: this.#q };
  }

  recall({ attitude }: ReturnType<AttitudeFilter['remember']>): void {
    this.#q = attitude;
  }

  reset(): void {
    this.#q = undefined;
  }

  /**
   * @param gyro body angular rate [rad/s]
   * @param acceleration body specific force [m/s²]
   * @param dt since the call before [s]
   * @returns attitude, body to world
   */
  update(gyro: Vector, acceleration: Vector, dt: number): Quaternion {
    const norm = Math.hypot(...acceleration);
    // Nothing at all is not free fall but a dead sensor, and the attitude is not known.
    if (norm === 0) return UNKNOWN;
    if (this.#q === undefined) {
      this.#q = uprightFrom(acceleration, norm);
      return this.#q;
    }
    const { w, x, y, z } = this.#q;
    let [ox, oy, oz] = gyro;
    // The world's up axis in the body frame, as the filter believes and as the accelerometer says.
    const up = upInBody(this.#q);
    const [ax, ay, az] = [acceleration[0] / norm, acceleration[1] / norm, acceleration[2] / norm];
    ox += (ay * up[2] - az * up[1]) / TIME_CONSTANT;
    oy += (az * up[0] - ax * up[2]) / TIME_CONSTANT;
    oz += (ax * up[1] - ay * up[0]) / TIME_CONSTANT;
    const h = dt / 2;
    this.#q = normalise({
      w: w - h * (x * ox + y * oy + z * oz),
      x: x + h * (w * ox + y * oz - z * oy),
      y: y + h * (w * oy - x * oz + z * ox),
      z: z + h * (w * oz + x * oy - y * ox),
    });
    return this.#q;
  }
}

/** The attitude without yaw in which the accelerometer would read this. */
function uprightFrom([ax, ay, az]: Vector, norm: number): Quaternion {
  const roll = Math.atan2(ay, az);
  const pitch = Math.asin(Math.min(1, Math.max(-1, -ax / norm)));
  const [cr, sr, cp, sp] = [Math.cos(roll / 2), Math.sin(roll / 2), Math.cos(pitch / 2), Math.sin(pitch / 2)];
  return { w: cr * cp, x: sr * cp, y: cr * sp, z: -sr * sp };
}

function normalise({ w, x, y, z }: Quaternion): Quaternion {
  const length = Math.hypot(w, x, y, z);
  return { w: w / length, x: x / length, y: y / length, z: z / length };
}
