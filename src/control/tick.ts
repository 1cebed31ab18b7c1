import type { ControllerKind } from '../messages/row.ts';
import type { RobotState } from '../messages/states.ts';
import type { Sensors } from '../protocol/messages.gen.ts';
import type { Quaternion } from '../robot/kinematics.ts';
import type { TaskName, TaskState } from '../robot/tasks/task.ts';
import type { SafeCommand, TorqueRequest } from '../safety/guard.ts';

/**
 * What travels down the pipeline. Each stage adds what it found to the object it was given and changes nothing of it.
 */

/** Bytes from the port, and when they came. */
export interface Chunk {
  readonly bytes: Uint8Array;
  /** [ns], monotonic */
  readonly arrivedNs: bigint;
}

/** decode: one `sensors` frame. */
export interface Sensed {
  readonly sensors: Sensors;
  /** as on the wire, modulo 2^16 */
  readonly wireSequence: number;
  /** unwrapped */
  readonly sequence: number;
  /** [µs], unwrapped */
  readonly mcuTimeUs: number;
  readonly arrivedNs: bigint;
  /** frames missing just before this one */
  readonly lost: number;
  /** a newer frame had already arrived with it: answering this one is history, not control */
  readonly superseded: boolean;
  /** the first frame since the port was opened or the MCU was restarted */
  readonly first: boolean;
}

export interface Estimate {
  /** rolled since the encoders' zero [m] */
  readonly x: number;
  readonly v: number;
  readonly pitch: number;
  readonly pitchRate: number;
  readonly yaw: number;
  readonly yawRate: number;
  /** body to world */
  readonly attitude: Quaternion;
  /** length of the attitude quaternion, 1 if it is a rotation */
  readonly attitudeNorm: number;
  /** length of the accelerometer's vector [m/s²] */
  readonly specificForce: number;
  /** between the estimated vertical and the accelerometer's [rad] */
  readonly gravityError: number;
  /** body z axis from the vertical [rad] */
  readonly tilt: number;
  /** how fast the tilt grows [rad/s] */
  readonly tiltRate: number;
  /** largest component of the angular rate [rad/s] */
  readonly angularRate: number;
  /** the faster wheel, relative to the shank [rad/s] */
  readonly wheelSpeed: number;
  readonly finite: boolean;
}

/** estimate */
export interface Estimated extends Sensed {
  /** since the frame before, by the MCU's clock [µs]; 0 on the first */
  readonly dtUs: number;
  /** over the latest frames [Hz]; NaN until there are enough */
  readonly rate: number;
  readonly framesInARow: number;
  readonly estimate: Estimate;
}

/** observe */
export interface Observed extends Estimated {
  readonly task: TaskName;
  readonly state: TaskState;
  /** [m] where the task's x is 0, in the odometry's x */
  readonly origin: number;
  readonly episode: number;
  /** counts from 0 within the episode */
  readonly step: number;
  /** the episode ends with the transition that starts here, by count */
  readonly lastStep: boolean;
}

/** infer */
export interface Decided extends Observed {
  readonly request: TorqueRequest;
  readonly controller: ControllerKind;
  readonly policyHash: bigint;
  /** what the policy saw at its latest decision */
  readonly observation: readonly number[];
  /** limits that infer itself applied, see `LIMITS` */
  readonly requestLimits: number;
}

/** guard */
export interface Guarded extends Decided {
  readonly command: SafeCommand;
  readonly robotState: RobotState;
  readonly limits: number;
  readonly conditions: bigint;
}

/** actuate */
export interface Actuated extends Guarded {
  /** arrival of the frame to the write of its answer [µs] */
  readonly latencyUs: number;
  /** the whole command went out */
  readonly written: boolean;
}
