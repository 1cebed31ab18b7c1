/** Rotations as unit quaternions w, x, y, z (body to world), vectors as x, y, z. */
export type Vector = readonly [x: number, y: number, z: number];
export type Quaternion = readonly [w: number, x: number, y: number, z: number];

export const upright: Quaternion = [1, 0, 0, 0];

export function multiply(a: Quaternion, b: Quaternion): Quaternion {
  const [aw, ax, ay, az] = a;
  const [bw, bx, by, bz] = b;
  return [
    aw * bw - ax * bx - ay * by - az * bz,
    aw * bx + ax * bw + ay * bz - az * by,
    aw * by - ax * bz + ay * bw + az * bx,
    aw * bz + ax * by - ay * bx + az * bw,
  ];
}

export function conjugate([w, x, y, z]: Quaternion): Quaternion {
  return [w, -x, -y, -z];
}

export function rotate(q: Quaternion, [vx, vy, vz]: Vector): Vector {
  const [w, x, y, z] = q;
  const tx = 2 * (y * vz - z * vy);
  const ty = 2 * (z * vx - x * vz);
  const tz = 2 * (x * vy - y * vx);
  return [vx + w * tx + y * tz - z * ty, vy + w * ty + z * tx - x * tz, vz + w * tz + x * ty - y * tx];
}

/** Rotation by a vector whose length is the angle [rad] and whose direction is the axis. */
export function fromRotationVector([x, y, z]: Vector): Quaternion {
  const angle = Math.hypot(x, y, z);
  const scale = angle < 1e-9 ? 0.5 : Math.sin(angle / 2) / angle;
  return [Math.cos(angle / 2), x * scale, y * scale, z * scale];
}

/** Inverse of `fromRotationVector`: the shorter way round. */
export function toRotationVector(q: Quaternion): Vector {
  const [w, x, y, z] = q[0] < 0 ? ([-q[0], -q[1], -q[2], -q[3]] as const) : q;
  const sine = Math.hypot(x, y, z);
  const scale = sine < 1e-9 ? 2 : (2 * Math.atan2(sine, w)) / sine;
  return [x * scale, y * scale, z * scale];
}

export function pitched(angle: number): Quaternion {
  return [Math.cos(angle / 2), 0, Math.sin(angle / 2), 0];
}

export function yawed(angle: number): Quaternion {
  return [Math.cos(angle / 2), 0, 0, Math.sin(angle / 2)];
}

/** Yaw, pitch [rad] (in the order z, y', x'') and tilt, the angle of the body's z axis to the vertical. */
export function attitudeAngles([w, x, y, z]: Quaternion): { yaw: number; pitch: number; tilt: number } {
  return {
    yaw: Math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)),
    pitch: Math.asin(Math.max(-1, Math.min(1, 2 * (w * y - z * x)))),
    tilt: Math.acos(Math.max(-1, Math.min(1, 1 - 2 * (x * x + y * y)))),
  };
}
