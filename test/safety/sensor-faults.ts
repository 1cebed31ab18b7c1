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
    // gyro and accelerometer make another, on which it holds
    off: by('sensor-lost'),
    intermittent: by('sensor-lost'),
    stuck: by('imu-stuck', 'attitude-jump'),
    garbage: by('attitude-implausible'),
    // A lean of 0.2 rad is within what the real robot's own log shows as a jump; see `attitude-wrong-far`.
    wrong: by('attitude-jump', 'wheel-slip'),
    noisy: goesOnOr('attitude-jump'),
  },
  wheelPosition: {
    // a robot that stands hardly turns its wheels, and drifts by centimetres before it can be told
    off: { 'standing-still': goesOnOr('wheel-encoder'), 'moving-straight': by('wheel-encoder') },
    stuck: { 'standing-still': goesOnOr('wheel-encoder'), 'moving-straight': by('wheel-encoder') },
    garbage: by('wheel-encoder'),
    slow: goesOnOr('wheel-encoder'),
    intermittent: goesOnOr('wheel-encoder'),
    noisy: goesOnOr('wheel-encoder'),
  },
  wheelVelocity: {
    off: by('wheel-encoder', 'lift-off'),
    // stuck at the speed that it goes on to have, it is right for long
    stuck: goesOnOr('wheel-encoder', 'lift-off'),
    garbage: by('wheel-overspeed'),
    wrong: by('wheel-encoder', 'lift-off'),
    intermittent: goesOnOr('wheel-encoder', 'lift-off'),
    noisy: goesOnOr('wheel-encoder', 'lift-off'),
  },
  legs: { off: by('sensor-lost'), garbage: by('joint-limit'), intermittent: by('sensor-lost') },
  wheelTorqueMeasured: {
    off: by('sensor-lost'),
    stuck: goesOnOr('drive-weak'),
    garbage: goesOnOr('torque-tracking', 'drive-weak'),
    wrong: by('torque-tracking'),
    intermittent: by('sensor-lost'),
  },
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
    wrong: by('attitude-jump', 'wheel-slip', ...FALLS),
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

const everyFaultOfEverySensor: readonly Fault[] = [...SENSORS, 'imu' as const, 'all' as const].flatMap((sensor) =>
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

/** Every fault of every sensor, and of those that fail together; and those of which the default is not the whole story. */
export const sensorFaults: readonly Fault[] = [
  ...everyFaultOfEverySensor,
  {
    id: 'attitude-wrong-far',
    says: 'attitude wrong by 0.3 rad',
    simulator: [{ verb: 'sensor', sensor: 'attitude', fault: 'wrong', amount: 0.3 }],
    promised: inBoth(by('attitude-jump', 'fall-predicted', 'tilt')),
  },
  {
    id: 'gyro-late-15-ms',
    says: 'gyro late by 15 ms',
    simulator: [{ verb: 'sensor', sensor: 'gyro', fault: 'delayed', amount: 15 }],
    promised: inBoth(goesOnOr(...FALLS)),
  },
];
