import type { McuState } from '../protocol/messages.gen.ts';
import type { GroundTruth, Readings, Torques } from './twin.ts';

/** What one `sensors` frame tells of the world. */
export interface PlantSample extends Readings {
  /** [N·m] left, right: what the motors delivered */
  readonly wheelTorqueMeasured: readonly [number, number];
  /** [N·m] instead of what the MCU commanded: only a plant that plays a log knows better than the MCU */
  readonly wheelTorqueApplied?: readonly [number, number];
  /** [V] */
  readonly battery: number;
  /** [°C] */
  readonly temperature: number;
  /** the flags of the frame, which are set unless a plant says otherwise */
  readonly hasAttitude?: boolean;
  readonly hasWheelTorque?: boolean;
  readonly hasLegs?: boolean;
}

/** What the drives' own encoders tell at 1 kHz: no noise, no delay. */
export interface Joints {
  readonly wheelVelocity: readonly [number, number];
  readonly legPosition: readonly [number, number, number, number];
  readonly legVelocity: readonly [number, number, number, number];
}

/** What hangs on the motor controller: the twin, or a log. */
export interface Plant {
  /** One millisecond. @param state of the MCU during it */
  step(torques: Torques, state: McuState): void;
  joints(): Joints;
  /** Readings for the frame that is about to be sent; undefined when the plant has ended and nothing is sent any more. */
  sample(state: McuState): PlantSample | undefined;
  truth(): GroundTruth;
}
