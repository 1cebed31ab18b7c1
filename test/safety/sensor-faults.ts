import { SENSOR_FAULTS, SENSORS, type SensorFaultKind } from '../../src/simulation/faults/sensor-fault.ts';
import { by, type Fault, GOES_ON, goesOnOr, inBoth, type Promised } from './fault.ts';

type Broken = (typeof SENSORS)[number] | 'imu' | 'all';

/** Oscillates until it cannot be saved: a sensor that is late is not known to be, only what comes of it. */
const FALLS = ['fall-predicted', 'tilt', 'wheel-overspeed'] as const;

/** What each fault of each sensor must come to; what is not here must be survived, in both tasks. */
const PROMISED: Partial<Record<Broken, Partial<Record<SensorFaultKind, Promised | Fault['promised']>>>> = {
  gyro: {
    off: by('imu-stuck'),
    stuck: by('imu-stuck'),
    garbage: by('turning-too-fast', 'attitude-jump'),
    wrong: by('attitude-jump'),
    slow: by('imu-stuck'),
    delayed: by(...FALLS),
    intermittent: by('imu-stuck', 'attitude-jump', ...FALLS),
  },
  acceleration: {
    off: by('imu-stuck'),
    stuck: by('imu-stuck'),
    garbage: by('acceleration-implausible'),
    // the balancer does without it: the slip that it seems to show only makes it hold
    wrong: by('wheel-slip'),
    slow: by('imu-stuck'),
    intermittent: by('imu-stuck'),
  },
  attitude: {
    // gyro and accelerometer make another
    off: GOES_ON,
    stuck: by('imu-stuck', 'attitude-jump'),
    garbage: by('attitude-implausible'),
    wrong: by('attitude-jump'),
    noisy: goesOnOr('attitude-jump'),
  },
  wheelPosition: {
    off: by('wheel-encoder'),
    stuck: by('wheel-encoder'),
    garbage: by('wheel-encoder'),
    slow: goesOnOr('wheel-encoder'),
    intermittent: goesOnOr('wheel-encoder'),
    noisy: goesOnOr('wheel-encoder'),
  },
  wheelVelocity: {
    off: by('wheel-encoder', 'lift-off'),
    stuck: by('wheel-encoder', 'lift-off'),
    garbage: by('wheel-overspeed'),
    wrong: by('wheel-encoder', 'lift-off'),
    intermittent: goesOnOr('wheel-encoder', 'lift-off'),
    noisy: goesOnOr('wheel-encoder', 'lift-off'),
  },
  legs: { garbage: by('joint-limit') },
  wheelTorqueMeasured: { garbage: goesOnOr('torque-tracking'), wrong: by('torque-tracking') },
  battery: {
    off: by('battery-collapse'),
    garbage: by('battery-collapse'),
    wrong: by('battery-collapse'),
    intermittent: by('battery-collapse'),
  },
  temperature: { garbage: by('temperature-critical'), wrong: by('temperature-critical') },
  imu: {
    off: by('attitude-implausible', 'estimate-not-finite', 'tilt'),
    stuck: by('imu-stuck'),
    garbage: by('attitude-implausible', 'turning-too-fast'),
    wrong: by('attitude-jump', ...FALLS),
    slow: by('imu-stuck'),
    delayed: by(...FALLS),
    intermittent: by('imu-stuck', 'attitude-implausible', 'estimate-not-finite', 'tilt'),
    noisy: goesOnOr('attitude-jump'),
  },
  all: {
    off: by('attitude-implausible', 'estimate-not-finite', 'tilt'),
    stuck: by('imu-stuck'),
    garbage: by('attitude-implausible', 'turning-too-fast', 'wheel-overspeed'),
    wrong: by('battery-collapse'),
    slow: by('imu-stuck'),
    delayed: by(...FALLS),
    intermittent: by('imu-stuck', 'attitude-implausible', 'estimate-not-finite', 'tilt', 'battery-collapse'),
    noisy: goesOnOr('attitude-jump', 'wheel-encoder', 'lift-off', ...FALLS),
  },
};

const isForBoth = (promised: Promised | Fault['promised']): promised is Promised => !('standing-still' in promised);

/** Every fault of every sensor, and of those that fail together. */
export const sensorFaults: readonly Fault[] = [...SENSORS, 'imu' as const, 'all' as const].flatMap((sensor) =>
  SENSOR_FAULTS.map((fault): Fault => {
    const promised = PROMISED[sensor]?.[fault] ?? GOES_ON;
    return {
      id: `${sensor}-${fault}`,
      says: `${sensor} ${fault}`,
      simulator: [{ verb: 'sensor', sensor, fault }],
      promised: isForBoth(promised) ? inBoth(promised) : promised,
    };
  }),
);
