import type { Robot } from '../robot/robot.ts';
import { at, exponential, type Matrix, matrix } from './linear-algebra.ts';

/** Standard gravity [m/s²]. */
export const gravity = 9.80665;

/**
 * Wheeled inverted pendulum, upright and linearised, τ = total torque [N·m] between body and both wheels:
 *
 *     M ẍ + h θ̈       = τ/R      M = m_b + 2 m_w + 2 J_w/R²   rolling mass [kg]
 *     h ẍ + I θ̈ − G θ = −τ       h = m_b l [kg·m],  I = J_b + m_b l² [kg·m²],  G = m_b g l [N·m/rad]
 */
export interface PendulumConstants {
  readonly rollingMass: number;
  readonly coupling: number;
  readonly inertia: number;
  readonly stiffness: number;
  readonly radius: number;
}

export function pendulumConstants({ body, wheels }: Robot): PendulumConstants {
  const l = body.centerOfMassHeight;
  return {
    rollingMass: body.mass + 2 * wheels.mass + (2 * wheels.spinInertia) / wheels.radius ** 2,
    coupling: body.mass * l,
    inertia: body.pitchInertia + body.mass * l ** 2,
    stiffness: body.mass * gravity * l,
    radius: wheels.radius,
  };
}

/** ẋ = a x + b u */
export interface LinearSystem {
  readonly a: Matrix;
  /** n×1 */
  readonly b: Matrix;
}

/** The linear model; state [x m, v m/s, pitch rad, pitchRate rad/s], input: total torque [N·m]. */
export function linearModel(robot: Robot): LinearSystem {
  const { rollingMass: M, coupling: h, inertia: I, stiffness: G, radius: R } = pendulumConstants(robot);
  const determinant = M * I - h * h;
  return {
    a: [
      [0, 1, 0, 0],
      [0, 0, (-h * G) / determinant, 0],
      [0, 0, 0, 1],
      [0, 0, (M * G) / determinant, 0],
    ],
    b: [[0], [(I / R + h) / determinant], [0], [-(M + h / R) / determinant]],
  };
}

/** The same system seen every `period` seconds, its input held in between (zero-order hold). */
export function discretise({ a, b }: LinearSystem, period: number): LinearSystem {
  const n = a.length;
  // e^([a b; 0 0]·T) = [a_d b_d; 0 1]
  const both = exponential(matrix(n + 1, n + 1, (i, j) => period * (j < n ? at(a, i, j) : at(b, i, 0))));
  return { a: matrix(n, n, (i, j) => at(both, i, j)), b: matrix(n, 1, (i) => at(both, i, n)) };
}

/**
 * How fast the robot falls with its wheels free: its lean grows as e^(p·t) [rad/s]. No delay in the loop may come near 1/p.
 */
export function unstablePole(robot: Robot): number {
  const { rollingMass: M, coupling: h, inertia: I, stiffness: G } = pendulumConstants(robot);
  return Math.sqrt((M * G) / (M * I - h * h));
}
