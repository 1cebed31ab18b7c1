import { EdgeError } from '../errors.ts';
import type { Robot } from '../robot/robot.ts';
import { at, matrix } from './linear-algebra.ts';
import { closedLoopRadius, delayGain, delaySystem, solveLqr } from './lqr.ts';
import { discretise, type LinearSystem, linearModel, unstablePole } from './pendulum.ts';

/** What the law feeds back besides v, pitch and pitchRate. */
export interface DesignOptions {
  /** x: return to a place, rather than only keep a speed */
  readonly position: boolean;
  /** the sum of the position error: cancels a lean that the model does not know (centre of mass, slope, sensor) */
  readonly integral: boolean;
}

/** u = −(integral·∫e + x·e + v·(v−v*) + pitch·θ + pitchRate·θ̇ + Σ onTheWay[i]·u(k−d+i)) [N·m] */
export interface Gains {
  /** [N·m/(m·s)] */
  readonly integral: number;
  /** [N·m/m] */
  readonly x: number;
  /** [N·m·s/m] */
  readonly v: number;
  /** [N·m/rad] */
  readonly pitch: number;
  /** [N·m·s/rad] */
  readonly pitchRate: number;
  /** for the torques sent but not yet acting, oldest first [1] */
  readonly onTheWay: readonly number[];
}

export interface Design {
  readonly gains: Gains;
  /** control period [s] */
  readonly period: number;
  /** deviations that the weights take for equally bad, and that the balancer does not ask for more of */
  readonly scale: Scale;
  /** largest absolute eigenvalue of the sampled loop with its delay */
  readonly radius: number;
}

/** Bryson's rule: one over the square of what each may reach. */
export interface Scale {
  readonly integral: number;
  readonly x: number;
  readonly v: number;
  readonly pitch: number;
  readonly pitchRate: number;
  readonly torque: number;
}

/** A position error of `targetVelocity · settleTime` weighs as much as a speed of targetVelocity [s]. */
const settleTime = 1;
/** Time in which an unknown lean is learnt [s]; slow against balancing, or it would ring. */
const integralTime = 2;
/**
 * Share of the torque that undisturbed balancing may use. More makes gains that shake legs and tyres which the model takes
 * for rigid; a quarter leaves the loop stable with 40 ms of delay, eight times what the robot file states.
 */
const balancingShare = 0.25;

/**
 * Weights by Bryson's rule. Three limits stand in the robot file: lean `limits.armingTilt`, speed `limits.targetVelocity`,
 * torque `policy.torqueScale` (a share of it). The rest follows: a fall of that lean turns at lean × unstable pole, and
 * distance counts by the time in which a displaced robot should be back. Without a position to hold on to, an unknown lean
 * turns into speed: there speed counts four times as much.
 */
function brysonScale(robot: Robot, position: boolean): Scale {
  const { armingTilt, targetVelocity } = robot.limits;
  return {
    integral: targetVelocity * settleTime * integralTime,
    x: targetVelocity * settleTime,
    v: position ? targetVelocity : targetVelocity / 4,
    pitch: armingTilt,
    pitchRate: armingTilt * unstablePole(robot),
    torque: robot.policy.torqueScale * balancingShare,
  };
}

/**
 * Gains of the balancer, from the robot file alone.
 * @param rate decisions a second [Hz]
 * @throws EdgeError `robotInvalid` when no stable loop results
 */
export function designBalancer(robot: Robot, rate: number, { position, integral }: DesignOptions): Design {
  const period = 1 / rate;
  // 1e-9: 5 ms at 200 Hz is one step, whatever the rounding says.
  const delay = Math.ceil((robot.timing.actuationDelay / 1000) * rate - 1e-9);
  const scale = brysonScale(robot, position);

  const full = discretise(withIntegral(linearModel(robot)), period);
  const names = ['integral', 'x', 'v', 'pitch', 'pitchRate'] as const;
  const kept = names.filter((name) => (name === 'integral' ? integral && position : name !== 'x' || position));
  const index = kept.map((name) => names.indexOf(name));
  const system: LinearSystem = {
    a: matrix(kept.length, kept.length, (i, j) => at(full.a, index[i] ?? 0, index[j] ?? 0)),
    b: matrix(kept.length, 1, (i) => at(full.b, index[i] ?? 0, 0)),
  };

  const weights = kept.map((name) => 1 / scale[name] ** 2);
  const undelayed = solveLqr(system, weights, 1 / scale.torque ** 2);
  const gain = delayGain(undelayed, system, delay);
  const radius = closedLoopRadius(delaySystem(system, delay), gain);
  if (!(radius < 1)) {
    throw new EdgeError(
      'robotInvalid',
      `the balancer of robot ${robot.name} would not be stable at ${rate} Hz (largest eigenvalue ${radius})`,
      'check masses, lengths, inertia and timing.actuationDelay in the robot file, or raise the rate',
    );
  }
  const of = (name: (typeof names)[number]) => gain[kept.indexOf(name)] ?? 0;
  return {
    gains: {
      integral: of('integral'),
      x: of('x'),
      v: of('v'),
      pitch: of('pitch'),
      pitchRate: of('pitchRate'),
      onTheWay: gain.slice(kept.length),
    },
    period,
    scale,
    radius,
  };
}

/** ∫x as a state before the others. */
function withIntegral({ a, b }: LinearSystem): LinearSystem {
  const n = a.length + 1;
  return {
    a: matrix(n, n, (i, j) => (i === 0 ? (j === 1 ? 1 : 0) : j === 0 ? 0 : at(a, i - 1, j - 1))),
    b: matrix(n, 1, (i) => (i === 0 ? 0 : at(b, i - 1, 0))),
  };
}
