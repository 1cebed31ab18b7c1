import fc from 'fast-check';
import { LIMITS, ROBOT_STATES } from '../messages/states.ts';
import { McuState } from '../protocol/messages.gen.ts';
import type { Facts } from './facts.ts';

/** Generators for property tests. Any number at all: NaN, infinities, subnormals, negative zero. */
export const anyNumber = fc.oneof(fc.double(), fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, -1e308, 0, -0));

export const anyRobotState = fc.constantFrom(...ROBOT_STATES);

export const anyLimit = fc.constantFrom(...LIMITS);

/** Facts with anything in them. */
export const anyFacts: fc.Arbitrary<Facts> = fc.record({
  mcuTimeUs: anyNumber,
  dtUs: anyNumber,
  lost: fc.nat(70_000),
  framesInARow: fc.nat(1000),
  rate: anyNumber,
  nominalRate: anyNumber,
  estimateFinite: fc.boolean(),
  sensorsLost: fc.nat(3),
  attitudeNorm: anyNumber,
  specificForce: anyNumber,
  gravityError: anyNumber,
  tilt: anyNumber,
  tiltRate: anyNumber,
  angularRate: anyNumber,
  imuStuckUs: anyNumber,
  attitudeError: anyNumber,
  meanSpecificForce: anyNumber,
  wheelSpeed: anyNumber,
  encoderError: anyNumber,
  driveGain: anyNumber,
  wheelSlip: anyNumber,
  apparentInertia: anyNumber,
  legAngle: anyNumber,
  torqueError: anyNumber,
  battery: anyNumber,
  temperature: anyNumber,
  mcuState: fc.constantFrom(...Object.values(McuState)),
  faults: fc.nat(0xffff),
  watchdogLatched: fc.boolean(),
  session: fc.constantFrom('waiting' as const, 'accepted' as const, 'foreign' as const, 'mismatch' as const),
  announcedWatchdog: anyNumber,
  announcedRobot: fc.string({ maxLength: 16 }),
  heard: fc.boolean(),
  foreignHellos: fc.nat(3),
  framesRefused: fc.nat(50),
  framesDisobeyed: fc.nat(50),
  framesUnheard: fc.nat(10),
  framesOutOfOrder: anyNumber,
  framesDamaged: anyNumber,
  clockStuck: fc.nat(5),
  shuttingDown: fc.boolean(),
  heartbeatLost: fc.boolean(),
  mcuRestarted: fc.boolean(),
  policyLateness: fc.nat(20),
  policyNonFinite: fc.nat(3),
  policySaturatedUs: anyNumber,
  policyOutOfRange: fc.nat(10),
  overruns: fc.nat(10),
  silent: fc.boolean(),
  linkOpen: fc.boolean(),
  estopLatched: fc.boolean(),
  estopNotPersisted: fc.boolean(),
  brokerLost: fc.boolean(),
  recorderBehind: fc.boolean(),
  diskFull: fc.boolean(),
  clockStep: anyNumber,
  stopInputLost: fc.boolean(),
});

export { GOOD_FACTS as goodFacts } from './examples.ts';
