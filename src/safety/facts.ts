import type { McuState } from '../protocol/messages.gen.ts';

/** How the MCU and this host stand to each other. */
export type SessionState = 'waiting' | 'accepted' | 'foreign' | 'mismatch';

/** All that the failsafe table looks at, taken once per sensor frame. Pure data; nothing in it is a judgement. */
export interface Facts {
  /** MCU time of the frame, unwrapped [µs] */
  readonly mcuTimeUs: number;
  /** since the frame before it, by the MCU's clock [µs]; 0 on the first frame */
  readonly dtUs: number;
  /** sensor frames missing just before this one */
  readonly lost: number;
  /** frames in a row without a gap, this one included */
  readonly framesInARow: number;
  /** measured over the latest frames by the MCU's clock [Hz]; NaN until there are enough */
  readonly rate: number;
  /** what the MCU said its rate is [Hz]; NaN before `hello` */
  readonly nominalRate: number;
  /** a frame that a controller can run on: all of the estimate is finite */
  readonly estimateFinite: boolean;
  /** sensors that the MCU had when the robot was armed and has no more */
  readonly sensorsLost: number;
  /** length of the attitude quaternion, 1 if it is a rotation */
  readonly attitudeNorm: number;
  /** length of the accelerometer's vector [m/s²] */
  readonly specificForce: number;
  /** between the estimated vertical and the accelerometer's, meaningful at rest [rad] */
  readonly gravityError: number;
  /** body z axis from the vertical [rad] */
  readonly tilt: number;
  /** how fast the tilt grows [rad/s] */
  readonly tiltRate: number;
  /** largest component of the angular rate [rad/s] */
  readonly angularRate: number;
  /** for how long gyro or accelerometer, or the attitude of a body that turns, has said the same to the last bit [µs] */
  readonly imuStuckUs: number;
  /** between the attitude and the integral of the gyro over the latest second [rad]; 0 for an IMU without attitude */
  readonly attitudeError: number;
  /** length of the accelerometer's vector, mean of half a second [m/s²] */
  readonly meanSpecificForce: number;
  /** the faster wheel, relative to the shank [rad/s] */
  readonly wheelSpeed: number;
  /** between a wheel's way by position and by velocity, remembered for half a second, the worse wheel [rad] */
  readonly encoderError: number;
  /** speed of the wheels' contact less that of the body over it, by gyro and accelerometer [m/s] */
  readonly wheelSlip: number;
  /** torque per wheel acceleration, of the wheel that has more of it [kg·m²]; infinite where too little happens to tell */
  readonly apparentInertia: number;
  /** leg joint farthest from zero [rad]; NaN if none is measured */
  readonly legAngle: number;
  /** the most that the worse wheel's drive can give of the torque it is told, over one second; infinite where nothing tells */
  readonly driveGain: number;
  /** measured less applied torque, mean of 0.25 s, the worse wheel [N·m]; NaN if none is measured */
  readonly torqueError: number;
  /** [V] */
  readonly battery: number;
  /** hottest known drive or board [°C]; NaN if none is measured */
  readonly temperature: number;
  readonly mcuState: McuState;
  /** number of fault bits set */
  readonly faults: number;
  /** the MCU says that its watchdog latched */
  readonly watchdogLatched: boolean;
  readonly session: SessionState;
  /** the time without a valid command after which the MCU said that it brakes [ms]; NaN before `hello` */
  readonly announcedWatchdog: number;
  /** the robot that the MCU said it drives; empty before `hello` */
  readonly announcedRobot: string;
  /** the MCU applied, or would apply, this host's latest command */
  readonly heard: boolean;
  /** `hello` answers that this host did not ask for, since the port was opened */
  readonly foreignHellos: number;
  /** sensor frames since a command of this host asked for `active` and the MCU was not; 0 when it is */
  readonly framesRefused: number;
  /** frames on which the MCU was active although this host wants it otherwise; 0 when it is not */
  readonly framesDisobeyed: number;
  /** frames in a row on which the MCU had no command within its time to live */
  readonly framesUnheard: number;
  /** frames dropped in the latest second because they came twice or too late; counted with a leak */
  readonly framesOutOfOrder: number;
  /** frames dropped in the latest second because they were damaged; counted with a leak */
  readonly framesDamaged: number;
  /** frames in a row without any time between them, by the MCU's clock */
  readonly clockStuck: number;
  /** this process was told to end */
  readonly shuttingDown: boolean;
  /** a moving mode is in force and its operator's heartbeat is missing for longer than is allowed */
  readonly heartbeatLost: boolean;
  /** the MCU has started anew since the robot was armed */
  readonly mcuRestarted: boolean;
  /** late policy runs: +4 each, -1 for each in time */
  readonly policyLateness: number;
  /** policy results in a row with a number that is not finite */
  readonly policyNonFinite: number;
  /** for how long the policy's action has been at or beyond the same end of its range [µs] */
  readonly policySaturatedUs: number;
  /** policy decisions in a row on an observation outside the range of its manifest */
  readonly policyOutOfRange: number;
  /** answers in a row that took longer than a frame period */
  readonly overruns: number;
  /** no byte for `timing.sensorSilence` */
  readonly silent: boolean;
  /** the port is open */
  readonly linkOpen: boolean;
  /** a stop was asked for, by anyone, and not reset since */
  readonly estopLatched: boolean;
  /** the latch could not be written to disk */
  readonly estopNotPersisted: boolean;
  /** a broker is configured and there is no connection to it */
  readonly brokerLost: boolean;
  /** the gateway said, a moment ago, that it does not keep up; or rows were lost in control's own memory */
  readonly recorderBehind: boolean;
  /** the gateway said, a moment ago, that the disk is full */
  readonly diskFull: boolean;
  /** largest jump of the wall clock against the monotonic one within 10 s [s] */
  readonly clockStep: number;
  /** a stop input of the configuration cannot be read */
  readonly stopInputLost: boolean;
}

/** Facts before the first frame. */
export const NO_FACTS: Facts = {
  mcuTimeUs: 0,
  dtUs: 0,
  lost: 0,
  framesInARow: 0,
  rate: Number.NaN,
  nominalRate: Number.NaN,
  estimateFinite: false,
  sensorsLost: 0,
  attitudeNorm: Number.NaN,
  specificForce: Number.NaN,
  gravityError: Number.NaN,
  tilt: Number.NaN,
  tiltRate: Number.NaN,
  angularRate: Number.NaN,
  imuStuckUs: 0,
  attitudeError: 0,
  meanSpecificForce: Number.NaN,
  wheelSpeed: Number.NaN,
  encoderError: 0,
  driveGain: Number.POSITIVE_INFINITY,
  wheelSlip: 0,
  apparentInertia: Number.POSITIVE_INFINITY,
  legAngle: Number.NaN,
  torqueError: Number.NaN,
  battery: Number.NaN,
  temperature: Number.NaN,
  mcuState: 'idle',
  faults: 0,
  watchdogLatched: false,
  session: 'waiting',
  announcedWatchdog: Number.NaN,
  announcedRobot: '',
  heard: false,
  foreignHellos: 0,
  framesRefused: 0,
  framesDisobeyed: 0,
  framesUnheard: 0,
  framesOutOfOrder: 0,
  framesDamaged: 0,
  clockStuck: 0,
  shuttingDown: false,
  heartbeatLost: false,
  mcuRestarted: false,
  policyLateness: 0,
  policyNonFinite: 0,
  policySaturatedUs: 0,
  policyOutOfRange: 0,
  overruns: 0,
  silent: false,
  linkOpen: false,
  estopLatched: false,
  estopNotPersisted: false,
  brokerLost: false,
  recorderBehind: false,
  diskFull: false,
  clockStep: 0,
  stopInputLost: false,
};
