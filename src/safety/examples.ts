import type { Robot } from '../robot/robot.ts';
import { type Facts, NO_FACTS } from './facts.ts';
import type { ConditionId } from './failsafe-table.ts';

/** A robot of the kind that ships, on which nothing is wrong: upright, at rest, greeted, 200 Hz. */
export const GOOD_FACTS: Facts = {
  ...NO_FACTS,
  mcuTimeUs: 1_000_000,
  dtUs: 5000,
  framesInARow: 1000,
  rate: 200,
  nominalRate: 200,
  estimateFinite: true,
  attitudeNorm: 1,
  specificForce: 9.8,
  gravityError: 0.01,
  tilt: 0.01,
  tiltRate: 0.01,
  angularRate: 0.01,
  meanSpecificForce: 9.8,
  wheelSpeed: 0.1,
  wheelSlip: 0.01,
  legAngle: 1.5,
  torqueError: 0.01,
  battery: 24,
  temperature: 35,
  session: 'accepted',
  announcedWatchdog: 50,
  announcedRobot: 'wheel-legged',
  heard: true,
  linkOpen: true,
};

/** For each condition facts that make it hold and, as far as that is possible, no other. */
export const EXAMPLES: Readonly<Record<ConditionId, (robot: Robot) => Partial<Facts>>> = {
  estop: () => ({ estopLatched: true }),
  'mcu-estopped': () => ({ mcuState: 'estopped' }),
  'mcu-fault': () => ({ faults: 1 }),
  'mcu-watchdog': () => ({ watchdogLatched: true }),
  'mcu-not-active': () => ({ framesRefused: 21 }),
  'mcu-disobeys': () => ({ framesDisobeyed: 21 }),
  'mcu-restarted': () => ({ mcuRestarted: true }),
  'estimate-not-finite': () => ({ estimateFinite: false }),
  'attitude-implausible': () => ({ attitudeNorm: 0 }),
  tilt: ({ limits }) => ({ tilt: limits.tilt + 0.01 }),
  'wheel-overspeed': ({ limits }) => ({ wheelSpeed: limits.wheelSpeed + 1 }),
  'sensor-gap': ({ policy }) => ({ dtUs: 6.2e6 / policy.rate }),
  'clock-stuck': () => ({ clockStuck: 3 }),
  'shutting-down': () => ({ shuttingDown: true }),
  'link-lost': () => ({ linkOpen: false }),
  'sensor-silence': () => ({ silent: true }),
  'schema-mismatch': () => ({ session: 'mismatch' }),
  'foreign-host': () => ({ foreignHellos: 1 }),
  'rate-off': ({ policy }) => ({ rate: 0.9 * policy.rate }),
  'policy-not-finite': () => ({ policyNonFinite: 1 }),
  'policy-late': () => ({ policyLateness: 11 }),
  'heartbeat-lost': () => ({ heartbeatLost: true }),
  overrun: () => ({ overruns: 5 }),
  'battery-low': ({ limits }) => ({ battery: limits.batteryMinimum - 1 }),
  'temperature-high': ({ limits }) => ({ temperature: limits.temperatureMaximum + 1 }),
  'estop-not-persisted': () => ({ estopNotPersisted: true }),
  'imu-stuck': ({ timing }) => ({ imuStuckUs: timing.mcuWatchdog * 1000 }),
  'attitude-jump': () => ({ attitudeError: 0.26 }),
  'acceleration-implausible': () => ({ meanSpecificForce: 1.9 }),
  'turning-too-fast': ({ limits }) => ({ angularRate: limits.angularRate + 1 }),
  'fall-predicted': ({ limits }) => ({ tilt: limits.fallTilt + 0.01, tiltRate: limits.tilt / limits.fallHorizon }),
  'sensor-lost': () => ({ sensorsLost: 1 }),
  'wheel-slip': ({ limits }) => ({ wheelSlip: limits.wheelSlip + 0.1 }),
  'lift-off': ({ limits }) => ({ apparentInertia: limits.contactInertia * 0.9 }),
  'joint-limit': ({ legs }) => ({ legAngle: legs.positionLimit + 0.01 }),
  'torque-tracking': ({ limits }) => ({ torqueError: limits.torqueError + 0.01 }),
  'temperature-critical': ({ limits }) => ({ temperature: limits.temperatureCritical + 1 }),
  'battery-empty': ({ limits }) => ({ battery: limits.batteryEmpty - 0.25 }),
  'battery-collapse': ({ limits }) => ({ battery: limits.batteryCollapse - 0.25 }),
  'frame-late': ({ policy }) => ({ dtUs: 1.6e6 / policy.rate }),
  'mcu-clock-jump': ({ policy }) => ({ dtUs: 3.2e6 / policy.rate }),
  'frames-out-of-order': () => ({ framesOutOfOrder: 2.1 }),
  'line-noisy': () => ({ framesDamaged: 5.1 }),
  'commands-late': () => ({ framesUnheard: 3 }),
  'overrun-lasting': () => ({ overruns: 20 }),
  'policy-saturated': ({ timing }) => ({ policySaturatedUs: timing.policySaturation * 1e6 + 1 }),
  'policy-out-of-range': () => ({ policyOutOfRange: 5 }),
  'broker-lost': () => ({ brokerLost: true }),
  'recorder-behind': () => ({ recorderBehind: true }),
  'disk-full': () => ({ diskFull: true }),
  'clock-step': () => ({ clockStep: 0.6 }),
  'wheel-encoder': () => ({ encoderError: 0.51 }),
  'drive-weak': () => ({ driveGain: 0.39 }),
  'stop-input-lost': () => ({ stopInputLost: true }),
};

/**
 * Facts in which all of these conditions hold: of two numbers for the same fact the one that is further from what is good.
 */
export function factsWhen(ids: readonly ConditionId[], robot: Robot): Facts {
  const { policy, timing, limits, legs } = robot;
  const good: Facts = {
    ...GOOD_FACTS,
    rate: policy.rate,
    nominalRate: policy.rate,
    dtUs: 1e6 / policy.rate,
    battery: Math.max(GOOD_FACTS.battery, limits.batteryMinimum),
    temperature: Math.min(GOOD_FACTS.temperature, limits.temperatureMaximum),
    legAngle: Math.min(GOOD_FACTS.legAngle, legs.positionLimit),
    announcedWatchdog: timing.mcuWatchdog,
    announcedRobot: robot.name,
  };
  const facts: Record<string, unknown> = { ...good };
  for (const id of ids) {
    for (const [name, value] of Object.entries(EXAMPLES[id](robot))) {
      const from = Number(good[name as keyof Facts]);
      const nearer = typeof value === 'number' && Math.abs(Number(facts[name]) - from) > Math.abs(value - from);
      if (!nearer) facts[name] = value;
    }
  }
  return facts as unknown as Facts;
}
