import type { LogRow } from '../dataset/log/read-log.ts';
import { type McuState, RESOLUTION } from '../protocol/messages.gen.ts';
import type { Robot } from '../robot/robot.ts';
import type { Joints, Plant, PlantSample } from './plant.ts';
import { conjugate, pitched, rotate } from './rotation.ts';
import type { GroundTruth } from './twin.ts';

const gravity = 9.81;

/** A robot at rest, upright, where the log's own x is 0. */
const atRest: LogRow = { x: 0, speed: 0, pitch: 0, pitchRate: 0, torque: 0, done: false };

/**
 * Plays a log as the robot's sensors, one row a frame, whatever torque the host commands. Before row 0 it shows a robot at rest until
 * the MCU is active; after the last row it ends. The frame after row k reports row k's torque, since that is what led to it.
 */
export class Playback implements Plant {
  readonly #robot: Robot;
  readonly #rows: readonly LogRow[];
  /** of the frame shown last; -1 during the lead-in */
  #row = -1;
  /** the last bit of the axes that a log does not know: no live IMU says the same twice, and control knows that */
  #flicker = 0;

  constructor(robot: Robot, rows: readonly LogRow[]) {
    this.#robot = robot;
    this.#rows = rows;
  }

  /** Index of the row shown last, -1 before the first. */
  get row(): number {
    return this.#row;
  }

  step(): void {}

  joints(): Joints {
    const { wheelVelocity, legPosition, legVelocity } = this.#readings(this.#shown());
    return { wheelVelocity, legPosition, legVelocity };
  }

  sample(state: McuState): PlantSample | undefined {
    const before = this.#shown();
    this.#flicker = 1 - this.#flicker;
    if (this.#row >= 0 || state === 'active') this.#row += 1;
    const row = this.#row < 0 ? atRest : this.#rows[this.#row];
    if (!row) return undefined;
    const half = before.torque / 2;
    return { ...this.#readings(row), wheelTorqueApplied: [half, half], wheelTorqueMeasured: [half, half] };
  }

  /** What the log says; its height is not known and 0. */
  truth(): GroundTruth {
    const { x, speed, pitch } = this.#shown();
    const tilt = Math.abs(pitch);
    return { x, speed, pitch, tilt, height: 0, fallen: tilt > this.#robot.limits.tilt };
  }

  #shown(): LogRow {
    return this.#row < 0 ? atRest : (this.#rows[Math.min(this.#row, this.#rows.length - 1)] ?? atRest);
  }

  #readings({ x, speed, pitch, pitchRate }: LogRow): Omit<PlantSample, 'wheelTorqueMeasured'> {
    const { radius } = this.#robot.wheels;
    const { hipStance, kneeStance } = this.#robot.legs;
    const attitude = pitched(pitch);
    const [forward, , up] = rotate(conjugate(attitude), [0, 0, gravity]);
    // encoders count from the shank, which turns with the body and its legs
    const position = x / radius - pitch - (hipStance + kneeStance);
    const velocity = speed / radius - pitchRate;
    return {
      gyro: [this.#flicker * RESOLUTION.sensors.gyro, pitchRate, 0],
      acceleration: [forward, this.#flicker * RESOLUTION.sensors.acceleration, up],
      attitude,
      wheelPosition: [position, position],
      wheelVelocity: [velocity, velocity],
      legPosition: [hipStance, kneeStance, hipStance, kneeStance],
      legVelocity: [0, 0, 0, 0],
      battery: this.#robot.twin.battery,
      temperature: this.#robot.twin.temperature,
    };
  }
}
