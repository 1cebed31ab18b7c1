import { readFileSync } from 'node:fs';
import { EdgeError, messageOf } from '../errors.ts';
import { type McuState, RESOLUTION } from '../protocol/messages.gen.ts';
import type { Robot } from '../robot/robot.ts';
import type { Joints, Plant, PlantSample } from './plant.ts';
import { conjugate, pitched, rotate } from './rotation.ts';
import type { GroundTruth } from './twin.ts';

/** One line of a log of the authors' form. */
export interface LogRow {
  /** [m] */
  readonly x: number;
  /** [m/s] */
  readonly speed: number;
  /** [rad] */
  readonly pitch: number;
  /** [rad/s] */
  readonly pitchRate: number;
  /** [N·m] total of both wheels */
  readonly torque: number;
  readonly done: boolean;
}

const columns = ['x', 'v', 'pitch', 'pitch rate', 'torque', 'done'] as const;
const gravity = 9.81;

/**
 * Reads a log: one row a line, six columns apart by white space.
 * @throws EdgeError `fileUnreadable`, `logInvalid` with the line
 */
export function readLog(path: string): LogRow[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new EdgeError('fileUnreadable', `cannot read ${path}: ${messageOf(error)}`, 'check the path');
  }
  return parseLog(text, path);
}

/** As `readLog`, for text in memory; `path` only names it in errors. */
export function parseLog(text: string, path: string): LogRow[] {
  const rows: LogRow[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() !== '') rows.push(parseRow(line, `${path}:${index + 1}`));
  }
  if (rows.length === 0) throw invalid(`${path}: no rows`);
  return rows;
}

function parseRow(line: string, where: string): LogRow {
  const words = line.trim().split(/\s+/);
  if (words.length !== columns.length) throw invalid(`${where}: ${words.length} columns instead of ${columns.length}`);
  const [x = 0, speed = 0, pitch = 0, pitchRate = 0, torque = 0, done = 0] = words.map((word, column) => {
    const value = Number(word);
    if (!Number.isFinite(value)) throw invalid(`${where}: ${columns[column]} is not a number: ${word.slice(0, 40)}`);
    return value;
  });
  if (done !== 0 && done !== 1) throw invalid(`${where}: done is neither 0 nor 1: ${done}`);
  return { x, speed, pitch, pitchRate, torque, done: done === 1 };
}

function invalid(message: string): EdgeError {
  return new EdgeError('logInvalid', message, `a row is ${columns.join(', ')}, apart by white space`);
}

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
