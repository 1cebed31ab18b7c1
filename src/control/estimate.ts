import { map, type OperatorFunction } from 'rxjs';
import type { Sensors } from '../protocol/messages.gen.ts';
import {
  angleBetween,
  type LegJoints,
  pitchOf,
  rolled,
  tiltOf,
  tiltRateOf,
  upInBody,
  yawOf,
} from '../robot/kinematics.ts';
import type { Robot } from '../robot/robot.ts';
import { AttitudeFilter } from './attitude-filter.ts';
import { RateMeter } from './facts/rate-meter.ts';
import type { Estimate, Estimated, Sensed } from './tick.ts';

/** Attitude, odometry and the measured frame rate. */
export class Estimator {
  readonly #robot: Robot;
  readonly #filter = new AttitudeFilter();
  readonly #rate = new RateMeter();
  #previousTimeUs: number | undefined;
  #framesInARow = 0;

  constructor(robot: Robot) {
    this.#robot = robot;
  }

  /** All that it remembers, as plain data; see `tape/snapshot.ts`. */
  remember() {
    return {
      previousTimeUs: this.#previousTimeUs,
      framesInARow: this.#framesInARow,
      filter: this.#filter.remember(),
      rate: this.#rate.remember(),
    };
  }

  recall({ previousTimeUs, framesInARow, filter, rate }: ReturnType<Estimator['remember']>): void {
    this.#previousTimeUs = previousTimeUs;
    this.#framesInARow = framesInARow;
    this.#filter.recall(filter);
    this.#rate.recall(rate);
  }

  estimate(sensed: Sensed): Estimated {
    const { sensors, mcuTimeUs } = sensed;
    if (sensed.first) this.#restart();
    const dtUs = this.#previousTimeUs === undefined ? 0 : mcuTimeUs - this.#previousTimeUs;
    this.#previousTimeUs = mcuTimeUs;
    this.#framesInARow = sensed.lost === 0 ? this.#framesInARow + 1 : 1;
    if (dtUs > 0) this.#rate.add(dtUs / (1 + sensed.lost));
    return {
      ...sensed,
      dtUs,
      rate: this.#rate.hertz,
      framesInARow: this.#framesInARow,
      estimate: this.#estimateOf(sensors, dtUs),
    };
  }

  #restart(): void {
    this.#previousTimeUs = undefined;
    this.#framesInARow = 0;
    this.#filter.reset();
    this.#rate.reset();
  }

  #estimateOf(sensors: Sensors, dtUs: number): Estimate {
    const { gyro, acceleration } = sensors;
    // What the IMU fused itself knows its own biases better than we could: passed through.
    const [w, x, y, z] = sensors.attitude;
    const attitude = sensors.hasAttitude ? { w, x, y, z } : this.#filter.update(gyro, acceleration, dtUs / 1e6);
    const pitch = pitchOf(attitude);
    const pitchRate = gyro[1];
    const up = upInBody(attitude);
    const estimate = {
      x: this.#rolled(sensors.wheelPosition, sensors.legPosition, pitch),
      v: this.#rolled(sensors.wheelVelocity, sensors.legVelocity, pitchRate),
      pitch,
      pitchRate,
      yaw: yawOf(attitude),
      yawRate: gyro[2],
      attitude,
      attitudeNorm: Math.hypot(attitude.w, attitude.x, attitude.y, attitude.z),
      specificForce: Math.hypot(...acceleration),
      gravityError: angleBetween(up, acceleration),
      tilt: tiltOf(attitude),
      tiltRate: tiltRateOf(up, gyro),
      angularRate: Math.max(...gyro.map(Math.abs)),
      wheelSpeed: Math.max(...sensors.wheelVelocity.map(Math.abs)),
    };
    // The accelerometer is only looked at: a robot in free fall still balances by its gyro.
    // The attitude's numbers are all in its norm.
    const { gravityError: _, attitude: __, ...needed } = estimate;
    return { ...estimate, finite: Object.values(needed).every(Number.isFinite) };
  }

  /** Wire order: wheels left, right; legs left hip, left knee, right hip, right knee. */
  #rolled(wheels: Sensors['wheelPosition'], legs: Sensors['legPosition'], pitch: number): number {
    const left: LegJoints = { hip: legs[0], knee: legs[1], wheel: wheels[0] };
    const right: LegJoints = { hip: legs[2], knee: legs[3], wheel: wheels[1] };
    return rolled(this.#robot, left, right, pitch);
  }
}

/** readings → attitude, odometry */
export const estimate = (estimator: Estimator): OperatorFunction<Sensed, Estimated> =>
  map((sensed) => estimator.estimate(sensed));
