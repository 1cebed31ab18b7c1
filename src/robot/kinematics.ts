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

/** Angle of the rotation from one attitude to another, 0 to π [rad]; their lengths need not be 1. */
export function angleBetweenAttitudes(a: Quaternion, b: Quaternion): number {
  const lengths = Math.hypot(a.w, a.x, a.y, a.z) * Math.hypot(b.w, b.x, b.y, b.z);
  // vector part of a⁻¹ b: its sine keeps small angles exact, which the cosine alone would round away
  const x = a.w * b.x - a.x * b.w - a.y * b.z + a.z * b.y;
  const y = a.w * b.y + a.x * b.z - a.y * b.w - a.z * b.x;
  const z = a.w * b.z - a.x * b.y + a.y * b.x - a.z * b.w;
  const cosine = a.w * b.w + a.x * b.x + a.y * b.y + a.z * b.z;
  if (!(lengths > 0)) return Number.NaN;
  return 2 * Math.atan2(Math.hypot(x, y, z), Math.abs(cosine));
}

/**
 * The attitude after turning at a body rate for a while.
 * @param rate [rad/s]
 * @param dt [s]
 */
export function integrateRate({ w, x, y, z }: Quaternion, rate: Vector, dt: number): Quaternion {
  const angle = Math.hypot(rate[0], rate[1], rate[2]) * dt;
  const cosine = Math.cos(angle / 2);
  // sin(φ/2)/φ, which is 1/2 at rest
  const share = dt * (angle > 1e-9 ? Math.sin(angle / 2) / angle : 0.5);
  const [p, q, r] = [rate[0] * share, rate[1] * share, rate[2] * share];
  return {
    w: w * cosine - x * p - y * q - z * r,
    x: x * cosine + w * p + y * r - z * q,
    y: y * cosine + w * q - x * r + z * p,
    z: z * cosine + w * r + x * q - y * p,
  };
}

/** A share of the way from one attitude to another, on the shorter side; of length 1. */
export function turnTowards(from: Quaternion, to: Quaternion, share: number): Quaternion {
  const part = Math.min(1, Math.max(0, share));
  const sign = from.w * to.w + from.x * to.x + from.y * to.y + from.z * to.z < 0 ? -part : part;
  const w = (1 - part) * from.w + sign * to.w;
  const x = (1 - part) * from.x + sign * to.x;
  const y = (1 - part) * from.y + sign * to.y;
  const z = (1 - part) * from.z + sign * to.z;
  const length = Math.hypot(w, x, y, z) || 1;
  return { w: w / length, x: x / length, y: y / length, z: z / length };
}

/**
 * How fast the tilt grows [rad/s]. Upright it has no direction yet, and any turn but that about the vertical makes it grow.
 * @param up the world's up axis in the body frame
 * @param rate body angular rate [rad/s]
 */
export function tiltRateOf(up: Vector, rate: Vector): number {
  const sine = Math.hypot(up[0], up[1]);
  // u̇ = −ω × u, of which the z component is −cos'(tilt)
  if (sine > 1e-3) return (rate[0] * up[1] - rate[1] * up[0]) / sine;
  return Math.hypot(rate[0], rate[1]);
}
