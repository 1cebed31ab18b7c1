import type { Condition } from '../condition.ts';

/**
 * Attitude and gyro must tell the same story [rad]. Sensor noise stays at a fortieth of this on the twin; the published log
 * of the real robot, from which rows are missing here and there, reaches 0.21.
 */
const ATTITUDE_ERROR = 0.25;
/** What half a second of an accelerometer averages to on a robot that is not falling off a table [m/s²]. */
const LEAST_FORCE = 2;
const MOST_FORCE = 30;

/** IMU and encoders: whether they are there, and whether what the IMU says can be so. */
export const IMU_CONDITIONS = [
  {
    id: 'imu-stuck',
    says: 'the IMU repeats the same sample: it is frozen, although frames keep coming',
    remedy: 'the IMU or its bus hangs; power the motor controller off and on, disarm and arm again',
    action: 'brake',
    clears: 'disarm',
    debounce: 1,
    threshold: ({ timing }) =>
      `gyro or accelerometer the same to the last bit for ${timing.mcuWatchdog} ms; so the attitude, when the gyro has turned by 0.02 rad meanwhile`,
    source:
      'robot file: timing.mcuWatchdog, after which the motor controller gives a silent host up; noise never repeats',
    holds: (facts, { timing }) => facts.imuStuckUs >= timing.mcuWatchdog * 1000,
  },
  {
    id: 'attitude-jump',
    says: 'the attitude from the IMU does not follow from how it turned: one of the two is wrong',
    remedy:
      'see whether attitude and gyro have the same axes and signs, and whether the IMU is loose; disarm and arm again',
    action: 'brake',
    clears: 'disarm',
    debounce: 3,
    threshold: () => `${ATTITUDE_ERROR} rad off the gyro's integral over the latest second, for 3 frames`,
    source: 'assumed: above what the published log of the real robot reaches, whose missing rows look like jumps',
    holds: (facts) => !(facts.attitudeError <= ATTITUDE_ERROR),
  },
  {
    id: 'acceleration-implausible',
    says: 'the accelerometer feels no gravity, or far too much',
    remedy: 'the accelerometer is broken or its scale is wrong; mend it, disarm and arm again',
    action: 'brake',
    clears: 'disarm',
    debounce: 1,
    threshold: () => `mean of half a second outside ${LEAST_FORCE} to ${MOST_FORCE} m/s²`,
    source: 'assumed: no robot on the ground is weightless, or weighs three times its own weight, for so long',
    holds: (facts) => !(facts.meanSpecificForce >= LEAST_FORCE && facts.meanSpecificForce <= MOST_FORCE),
  },
  {
    id: 'turning-too-fast',
    says: 'the gyro reads a rate at which this robot cannot turn',
    remedy: 'the gyro is broken, or the robot was thrown; disarm and arm again',
    action: 'brake',
    clears: 'disarm',
    debounce: 3,
    threshold: ({ limits }) => `${limits.angularRate} rad/s for 3 frames`,
    source: 'robot file: limits.angularRate',
    holds: (facts, { limits }) => !(facts.angularRate <= limits.angularRate),
  },
  {
    id: 'fall-predicted',
    says: 'the robot leans and turns so that no torque within its limits can save it',
    remedy: 'lift it upright, disarm and arm again',
    action: 'limp',
    clears: 'disarm',
    debounce: 3,
    threshold: ({ limits }) =>
      `tilt + ${limits.fallHorizon} s of its rate > ${limits.tilt.toFixed(3)} rad, from ${limits.fallTilt} rad of tilt on, for 3 frames`,
    source: 'robot file: limits.fallHorizon, limits.fallTilt, limits.tilt; a test compares with the linear model',
    holds: (facts, { limits }) =>
      !(facts.tilt < limits.fallTilt) && !(facts.tilt + limits.fallHorizon * facts.tiltRate <= limits.tilt),
  },
  {
    id: 'sensor-lost',
    says: 'a sensor that was there is missing: attitude, leg encoders or torque measurement; the robot holds',
    remedy: 'look at the sensor and its wiring; disarm and arm again, which takes the robot as it is then',
    action: 'fallback',
    clears: 'disarm',
    debounce: 2,
    threshold: () => 'one of hasAttitude, hasLegs, hasWheelTorque is gone since the robot was armed, for 2 frames',
    source: 'by design: what is estimated without it is not what the policy was started with',
    holds: (facts) => facts.sensorsLost > 0,
  },
] as const satisfies readonly Condition[];
