import type { BodyReadings } from '../../policy/observation.ts';
import type { Estimated } from '../tick.ts';

/** What a policy may see of the body, from one frame; joints in the order of `jointNames`. */
export function bodyReadings({ sensors, estimate }: Pick<Estimated, 'sensors' | 'estimate'>): BodyReadings {
  const { hasLegs, legPosition, legVelocity, wheelPosition, wheelVelocity } = sensors;
  return {
    attitude: estimate.attitude,
    angularVelocity: sensors.gyro,
    jointPosition: [...(hasLegs ? legPosition : UNKNOWN), ...wheelPosition],
    jointVelocity: [...(hasLegs ? legVelocity : UNKNOWN), ...wheelVelocity],
  };
}

const UNKNOWN = [Number.NaN, Number.NaN, Number.NaN, Number.NaN] as const;
