import type { Robot } from './robot.ts';

/** Unit quaternion, body to world; x forward, y left, z up. */
export interface Quaternion {
  readonly w: number;
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

// The yaw-pitch-roll angles (z, then y, then x) of the rotation matrix that the quaternion stands for.

/** Lean of the forward axis, positive forward, within ±π/2 [rad]. */
export function pitchOf({ w, x, y, z }: Quaternion): number {
  // Near ±π/2 the sine alone amplifies the wire's rounding fourteen times (PROTOCOL.md, attitude); with the cosine beside
  // it the resolution is the same everywhere, and no rounding can make it NaN.
  const sine = 2 * (w * y - x * z);
  const cosine = Math.hypot(1 - 2 * (y * y + z * z), 2 * (x * y + w * z));
  return Math.atan2(sine, cosine);
}

/** Lean to the side, positive with the left side up, within ±π [rad]. */
export function rollOf({ w, x, y, z }: Quaternion): number {
  return Math.atan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y));
}

/** Heading, positive to the left, within ±π [rad]. */
export function yawOf({ w, x, y, z }: Quaternion): number {
  return Math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z));
}

/** Angle between the body's z axis and the vertical, 0 to π [rad]. Unlike pitch, it does not miss a fall to the side. */
export function tiltOf({ x, y }: Quaternion): number {
  // atan2(|horizontal part|, vertical part) of the body's z axis; acos of the vertical part alone loses 1e-8 near upright.
  const sine = Math.hypot(x, y);
  const cosine = Math.sqrt(Math.max(0, 1 - sine * sine));
  return 2 * Math.atan2(sine, cosine);
}

/** The world's up axis in the body frame. */
export function upInBody({ w, x, y, z }: Quaternion): readonly [number, number, number] {
  return [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)];
}

type Vector = readonly [number, number, number];

/** Angle between two directions, 0 to π [rad]; NaN if one of them is none. */
export function angleBetween(a: Vector, b: Vector): number {
  const lengths = Math.hypot(...a) * Math.hypot(...b);
  if (!(lengths > 0)) return Number.NaN;
  const cosine = (a[0] * b[0] + a[1] * b[1] + a[2] * b[2]) / lengths;
  return Math.acos(Math.min(1, Math.max(-1, cosine)));
}

/** The same angle on the shorter way round, in (−π, π] [rad]. */
export function wrapAngle(angle: number): number {
  const turns = Math.ceil((angle - Math.PI) / (2 * Math.PI));
  return angle - turns * 2 * Math.PI;
}

/** One side's joint angles [rad], or their rates [rad/s]; all joints turn about +y. */
export interface LegJoints {
  readonly hip: number;
  readonly knee: number;
  /** encoder: wheel against shank */
  readonly wheel: number;
}

/**
 * Where the wheels have rolled to, or how fast they roll. The encoder tells the wheel's angle against the shank, the knee
 * the shank's against the thigh, the hip the thigh's against the body, and pitch the body's against the world: their sum is
 * the wheel's angle against the ground. Leaving out pitch alone makes x wrong by R·pitch.
 *
 * @param left joint angles of the left leg [rad], for the speed: their rates [rad/s]
 * @param right as `left`
 * @param pitch pitch [rad], for the speed: pitch rate [rad/s]
 * @returns distance of the axle's middle [m] from where all angles were zero, for the speed: [m/s]
 */
export function rolled(robot: Robot, left: LegJoints, right: LegJoints, pitch: number): number {
  const mean = (left.wheel + left.hip + left.knee + right.wheel + right.hip + right.knee) / 2;
  return robot.wheels.radius * (mean + pitch);
}
