import { loadRobot } from '../robot/robot.ts';
import { guard } from '../safety/guard.ts';
import { sensors } from './frames.testing.ts';
import type { Actuated, Decided, Estimate, Estimated, Observed, Sensed } from './tick.ts';

const robot = loadRobot('wheel-legged');

/** Ticks at each stage of the pipeline: the robot stands upright and at rest, the stream is settled at 200 Hz. */
export const sensed = (over: Partial<Sensed> = {}): Sensed => ({
  sensors: sensors(),
  wireSequence: 100,
  sequence: 100,
  mcuTimeUs: 500_000,
  arrivedNs: 1_000_000n,
  lost: 0,
  superseded: false,
  first: false,
  ...over,
});

export const restEstimate: Estimate = {
  x: 0,
  v: 0,
  pitch: 0,
  pitchRate: 0,
  yaw: 0,
  yawRate: 0,
  attitude: { w: 1, x: 0, y: 0, z: 0 },
  attitudeNorm: 1,
  specificForce: 9.81,
  gravityError: 0,
  tilt: 0,
  tiltRate: 0,
  angularRate: 0,
  wheelSpeed: 0,
  finite: true,
};

/** Odometry and attitude of `restEstimate` but for what is given. */
export const estimated = ({
  estimate,
  ...over
}: Partial<Omit<Estimated, 'estimate'>> & { estimate?: Partial<Estimate> } = {}): Estimated => ({
  ...sensed(over),
  dtUs: 5000,
  rate: 200,
  framesInARow: 1000,
  ...over,
  estimate: { ...restEstimate, ...estimate },
});

export type ObservedChanges = Partial<Omit<Observed, 'estimate'>> & { estimate?: Partial<Estimate> };

export function observed(over: ObservedChanges = {}): Observed {
  const tick = estimated(over);
  const { x, v, pitch, pitchRate } = tick.estimate;
  return {
    task: 'standing-still',
    state: { x, v, pitch, pitchRate },
    origin: 0,
    episode: 1,
    step: 0,
    lastStep: false,
    ...over,
    ...tick,
  };
}

export const decided = (over: ObservedChanges & Partial<Omit<Decided, 'estimate'>> = {}): Decided => ({
  request: { total: 0, steering: 0 },
  controller: 'none',
  policyHash: 0n,
  observation: [],
  requestLimits: 0,
  ...over,
  ...observed(over),
});

/** A tick whose command asks for this torque of both wheels together. */
export function actuated({
  torque = 0,
  ...over
}: ObservedChanges & Partial<Omit<Actuated, 'estimate'>> & { torque?: number } = {}): Actuated {
  const tick = decided({ ...over, request: over.request ?? { total: torque, steering: 0 } });
  const { command } = guard(
    {
      robotState: 'running',
      request: { total: torque, steering: 0 },
      previous: [torque / 2, torque / 2],
      dt: 0.005,
      session: 1,
      answers: tick.wireSequence,
    },
    robot,
  );
  return {
    command,
    robotState: 'running',
    limits: 0,
    conditions: 0n,
    latencyUs: 100,
    written: true,
    ...over,
    ...tick,
  };
}
