import type { Facts } from '../../safety/facts.ts';

/**
 * Where each fact comes from. What the loop works out from the frames it works out again when a run is replayed; what
 * depends on anything else (clocks, the session, the link, other processes) has to be on the tape. Whoever adds a fact has to
 * say here which it is.
 */
const ORIGIN: Readonly<Record<keyof Facts, 'frames' | 'outside'>> = {
  mcuTimeUs: 'frames',
  dtUs: 'frames',
  lost: 'frames',
  framesInARow: 'frames',
  rate: 'frames',
  nominalRate: 'outside',
  estimateFinite: 'frames',
  sensorsLost: 'frames',
  attitudeNorm: 'frames',
  specificForce: 'frames',
  gravityError: 'frames',
  tilt: 'frames',
  tiltRate: 'frames',
  angularRate: 'frames',
  imuStuckUs: 'frames',
  attitudeError: 'frames',
  meanSpecificForce: 'frames',
  wheelSpeed: 'frames',
  wheelSlip: 'frames',
  apparentInertia: 'frames',
  legAngle: 'frames',
  torqueError: 'frames',
  battery: 'frames',
  temperature: 'frames',
  mcuState: 'frames',
  faults: 'frames',
  watchdogLatched: 'outside',
  session: 'outside',
  announcedWatchdog: 'outside',
  announcedRobot: 'outside',
  heard: 'frames',
  foreignHellos: 'outside',
  framesRefused: 'frames',
  framesDisobeyed: 'frames',
  framesUnheard: 'frames',
  framesOutOfOrder: 'outside',
  framesDamaged: 'outside',
  clockStuck: 'frames',
  shuttingDown: 'outside',
  heartbeatLost: 'outside',
  mcuRestarted: 'outside',
  policyLateness: 'frames',
  policyNonFinite: 'frames',
  policySaturatedUs: 'frames',
  policyOutOfRange: 'frames',
  overruns: 'outside',
  silent: 'outside',
  linkOpen: 'outside',
  estopLatched: 'outside',
  estopNotPersisted: 'outside',
  brokerLost: 'outside',
  recorderBehind: 'outside',
  diskFull: 'outside',
  clockStep: 'outside',
  stopInputLost: 'outside',
};

/** The facts that a tape carries. */
export const OUTSIDE_FACTS: readonly (keyof Facts)[] = (Object.keys(ORIGIN) as (keyof Facts)[]).filter(
  (name) => ORIGIN[name] === 'outside',
);
