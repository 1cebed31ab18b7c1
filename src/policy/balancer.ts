import type { Robot } from '../robot/robot.ts';
import type { TaskState } from '../robot/tasks/task.ts';
import { type Design, designBalancer } from './balancer-design.ts';

/** What the balancer is asked for besides staying up. */
export interface BalancerRequest {
  /** speed to reach [m/s]; approached with a limited acceleration */
  readonly targetVelocity: number;
  /** the x to stand at, in the frame of `state.x`; read at the first decision after `reset`, which else stands where it is [m] */
  readonly originX?: number | undefined;
  /** the total torque that really was sent last, if the guard changed it [N·m] */
  readonly sentTorque?: number | undefined;
  /** control periods that passed without a decision since the one before: frames that were lost; default 0 */
  readonly missed?: number | undefined;
}

export interface BalancerMemory {
  readonly started: boolean;
  readonly referenceX: number;
  readonly referenceV: number;
  readonly integral: number;
  readonly onTheWay: readonly number[];
}

export interface Balancer {
  readonly design: Design;
  /** All that it remembers, as plain data. */
  remember(): BalancerMemory;
  recall(memory: BalancerMemory): void;
  /** Forgets everything; the next `act` starts where the robot is, at the speed that it has. */
  reset(): void;
  /**
   * One decision. Call it once a control period, and say in `missed` when that could not be.
   * @param state `x` counts on over the whole time between two resets: a task that sets its origin anew passes its own x
   *   to the policy, not here
   * @returns total torque of both wheels within ±policy.torqueScale [N·m]; NaN if the state is not finite, and then nothing
   *   is remembered of it
   */
  act(state: TaskState, request: BalancerRequest): number;
}

/** From standing to `limits.targetVelocity` in this time [s]. */
const rampTime = 1;
/** Wheel speed at which the dry friction is compensated to three quarters [rad/s]; see `frictionTorque`. */
const frictionSpeed = 1;

/**
 * Torque that both wheels lose to dry friction while they roll at a speed [N·m]. Take the speed that is wanted, never the
 * measured one: that one's noise around zero would make the compensation chatter.
 */
export function frictionTorque(robot: Robot, velocity: number): number {
  return 2 * robot.wheels.dryFriction * Math.tanh(velocity / robot.wheels.radius / frictionSpeed);
}

/**
 * The built-in balancer: linear-quadratic regulator of the robot file's own pendulum, which knows its delay, with a slow
 * integral against a lean that the model does not know. It needs no tuning by hand.
 *
 * @param rate decisions a second [Hz]
 * @throws EdgeError `robotInvalid` when this robot cannot be balanced at this rate
 */
export function createBalancer(robot: Robot, rate: number = robot.policy.rate): Balancer {
  const design = designBalancer(robot, rate, { position: true, integral: true });
  const { gains, period, scale } = design;
  const limit = robot.policy.torqueScale;
  const acceleration = robot.limits.targetVelocity / rampTime;
  // The lean to be learnt is a mounting or calibration error, never one at which the robot may not even be armed.
  const integralLimit = Math.abs((gains.pitch * robot.limits.armingTilt) / 2 / gains.integral);

  const onTheWay = gains.onTheWay.map(() => 0);
  let started = false;
  let referenceX = 0;
  let referenceV = 0;
  let integral = 0;

  return {
    design,
    remember: () => ({ started, referenceX, referenceV, integral, onTheWay: [...onTheWay] }),
    recall(memory) {
      ({ started, referenceX, referenceV, integral } = memory);
      onTheWay.splice(0, onTheWay.length, ...memory.onTheWay);
    },
    reset() {
      started = false;
      integral = 0;
      onTheWay.fill(0);
    },
    act(state, { targetVelocity, originX, sentTorque, missed = 0 }) {
      if (!Number.isFinite(state.x + state.v + state.pitch + state.pitchRate + targetVelocity)) return Number.NaN;
      const fastest = robot.limits.targetVelocity;
      const target = clamp(targetVelocity, fastest);
      if (!started) {
        started = true;
        referenceX = originX ?? state.x;
        referenceV = clamp(state.v, fastest);
      } else if (sentTorque !== undefined && onTheWay.length > 0) {
        onTheWay[onTheWay.length - 1] = sentTorque;
      }

      // Time passes also when frames do not: a reference that waited for them would make the robot slower on a bad line.
      const elapsed = (1 + missed) * period;
      referenceV += clamp(target - referenceV, acceleration * elapsed);
      referenceX += referenceV * elapsed;
      // Held or pushed away, it comes back at the pace of one scale of error; on its way it does not hurry after lost ground.
      const error = clamp(state.x - referenceX, scale.x);
      if (referenceV !== 0) referenceX = state.x - error;

      let torque =
        frictionTorque(robot, referenceV) -
        gains.integral * integral -
        gains.x * error -
        gains.v * (state.v - referenceV) -
        gains.pitch * state.pitch -
        gains.pitchRate * state.pitchRate;
      for (let index = 0; index < onTheWay.length; index++) {
        torque -= (gains.onTheWay[index] ?? 0) * (onTheWay[index] ?? 0);
      }
      const sent = clamp(torque, limit);
      // What the motors cannot give must not pile up in the integral.
      if (sent === torque) integral = clamp(integral + error * elapsed, integralLimit);
      if (onTheWay.length > 0) {
        onTheWay.copyWithin(0, 1);
        onTheWay[onTheWay.length - 1] = sent;
      }
      return sent;
    },
  };
}

const clamp = (value: number, limit: number): number => Math.min(limit, Math.max(-limit, value));
