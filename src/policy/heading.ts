import { wrapAngle } from '../robot/kinematics.ts';
import type { Robot } from '../robot/robot.ts';

/** Torques of the two wheels [N·m]. */
export interface WheelTorques {
  readonly left: number;
  readonly right: number;
}

/** Share of the wheel limit that steering may use; the rest balances. */
const steeringShare = 0.2;
/** Natural frequency of the heading loop [rad/s]; slow against balancing, critically damped. */
const bandwidth = 3;

/** Gains of the heading loop: [N·m/rad], [N·m·s/rad], and the limit of its torque at each wheel [N·m]. */
export function headingGains(robot: Robot): { readonly yaw: number; readonly yawRate: number; readonly limit: number } {
  const { radius, track, mass, spinInertia } = robot.wheels;
  // The file has no yaw inertia: the body's pitch inertia stands in, the wheels count where they are. Only the bandwidth
  // depends on it.
  const inertia = robot.body.pitchInertia + 2 * (mass + spinInertia / radius ** 2) * (track / 2) ** 2;
  const perTorque = track / radius / inertia;
  return {
    yaw: bandwidth ** 2 / perTorque,
    yawRate: (2 * bandwidth) / perTorque,
    limit: steeringShare * robot.limits.wheelTorque,
  };
}

/**
 * Torque that turns the robot back to a heading: to be added to the left wheel and taken from the right one. It works beside
 * any controller, since the paper's action is only the total of both wheels.
 *
 * @param yaw heading, positive to the left [rad]
 * @param yawRate [rad/s]
 * @param reference heading to keep [rad]
 * @returns torque of one wheel, at most 20 % of limits.wheelTorque [N·m]
 */
export function headingTorque(robot: Robot, yaw: number, yawRate: number, reference: number): number {
  const gains = headingGains(robot);
  const torque = gains.yaw * wrapAngle(yaw - reference) + gains.yawRate * yawRate;
  return Math.min(gains.limit, Math.max(-gains.limit, torque));
}

/**
 * Shares a total torque out to the wheels. Where a wheel's limit is short, steering gives way to balancing.
 * @param total of both wheels [N·m]
 * @param heading of `headingTorque` [N·m]
 */
export function shareTorque(robot: Robot, total: number, heading: number): WheelTorques {
  const limit = robot.limits.wheelTorque;
  const half = Math.min(limit, Math.max(-limit, total / 2));
  const room = limit - Math.abs(half);
  const turn = Math.min(room, Math.max(-room, heading));
  return { left: half + turn, right: half - turn };
}
