import { designBalancer } from '../policy/balancer-design.ts';
import { add, at, type Matrix, matrix, multiply, spectralRadius } from '../policy/linear-algebra.ts';
import { discretise, type LinearSystem, linearModel, pendulumConstants, unstablePole } from '../policy/pendulum.ts';
import { PAYLOAD_SIZE } from '../protocol/messages.gen.ts';
import type { Robot } from '../robot/robot.ts';

/**
 * How much delay the robot's own unstable pole leaves, and where it goes.
 *
 * The tolerable delay is not read off the pole alone (1/p says only that no controller can do with more) but off the loop
 * that really has to hold: the linear model of the robot file, closed by the built-in balancer, which is every policy's
 * reserve. From the sampling of the IMU to the torque at the wheels such a loop has a delay; the balancer is designed for
 * `timing.actuationDelay` of it, and everything beyond makes it ring and at last fall. The budget is the longest delay up
 * to which the sampled loop is stable, all its eigenvalues inside the unit circle, for every motor constant within
 * ±`GAIN_MARGIN`: motors are weaker when they are hot and stronger than their data sheet when they are cold, and a loop that
 * holds only at the nominal one holds on paper. The zero-order hold is part of the sampled loop and so takes nothing of
 * the budget.
 */

/** The loop must be stable for motors weaker and stronger by this share. */
const GAIN_MARGIN = 0.3;
/** Steps of the search: coarse to the first delay that is too long, fine up to it [s]. */
const COARSE = 0.004;
const FINE = 0.0005;
/** No robot that this program is for tolerates more [s]. */
const LONGEST = 0.2;

/** Bytes of a frame on the wire beyond its payload: header 7, CRC 4, COBS 1, delimiter 1 (PROTOCOL.md). */
const FRAME_OVERHEAD = 13;
/** A byte is ten bits. */
const BITS_PER_BYTE = 10;

/** What the robot file alone says. */
export interface DelayLimits {
  /** sensor frames a second that the balancer runs at [Hz] */
  readonly rate: number;
  /** [rad/s] */
  readonly unstablePole: number;
  /** longest delay from sampling to torque that the loop tolerates, with its margin [ms] */
  readonly tolerable: number;
  /** the longest time without any torque after which the largest lean that may be armed can still be caught [ms] */
  readonly interruption: number;
}

/** One stretch of the way from sampling to torque. */
export interface DelayShare {
  readonly id: 'sensing' | 'sensors-on-wire' | 'compute' | 'command-on-wire' | 'actuation';
  readonly ms: number;
  readonly source: string;
}

/** What was measured of this host. */
export interface MeasuredLatency {
  /** answers that the quantile is taken over, the latest ones */
  readonly samples: number;
  /** arrival of a frame to the write of its answer, 99.9 % of them [ms] */
  readonly p999: number;
}

export interface DelayBudget extends DelayLimits {
  readonly shares: readonly DelayShare[];
  /** sum of the shares [ms] */
  readonly spent: number;
  readonly measured: MeasuredLatency | undefined;
  /** of the motor controller: announced where it has spoken, else what the robot file wants [ms] */
  readonly watchdog: number;
  readonly findings: readonly DelayFinding[];
}

export type Verdict = 'pass' | 'warn' | 'fail';

export interface DelayFinding {
  readonly id: 'delay-budget' | 'delay-samples' | 'watchdog-budget' | 'time-to-live';
  readonly verdict: Verdict;
  /** with the numbers */
  readonly found: string;
  /** empty if there is nothing to mend */
  readonly remedy: string;
}

/** Answers without which a quantile of one in a thousand means nothing but the worst of a few: a second at 200 Hz. */
export const LEAST_SAMPLES = 200;

/**
 * The part of the budget that depends on the robot alone. Takes some tens of milliseconds: not for a tick.
 * @param rate sensor frames a second [Hz]
 * @param gains of the balancer at that rate; designed anew if not given. Its slow integral is left out.
 * @throws EdgeError `robotInvalid` when the robot cannot be balanced at that rate at all
 */
export function delayLimits(
  robot: Robot,
  rate: number = robot.policy.rate,
  gains: FedBack = designBalancer(robot, rate, { position: true, integral: true }).gains,
): DelayLimits {
  return {
    rate,
    unstablePole: unstablePole(robot),
    tolerable: tolerableDelay(robot, rate, gains) * 1000,
    interruption: tolerableInterruption(robot) * 1000,
  };
}

/** The longest delay up to which the loop is stable for all of the margin [s]; 0 if it never is. */
function tolerableDelay(robot: Robot, rate: number, gains: FedBack): number {
  const plant = linearModel(robot);
  const period = 1 / rate;
  const stable = (delay: number) =>
    [1 - GAIN_MARGIN, 1, 1 + GAIN_MARGIN].every(
      (constant) => spectralRadius(closedLoop(plant, period, delay, constant, gains)) < 1,
    );
  let tolerable = 0;
  for (const step of [COARSE, FINE]) while (tolerable + step <= LONGEST && stable(tolerable + step)) tolerable += step;
  return tolerable;
}

/** What the balancer feeds back; see `Gains`. */
export interface FedBack {
  readonly x: number;
  readonly v: number;
  readonly pitch: number;
  readonly pitchRate: number;
  readonly onTheWay: readonly number[];
}

/**
 * One period of the loop with a delay of whole and part periods; states: x, v, pitch, pitch rate, then the torques sent,
 * oldest first, as many as are on the way or as the balancer remembers. The torque of this sample acts from `delay` on, so
 * that within one period first the older of two torques acts and then the newer one.
 */
function closedLoop(plant: LinearSystem, period: number, delay: number, constant: number, gains: FedBack): Matrix {
  const whole = Math.floor(delay / period + 1e-9);
  const part = Math.max(0, delay - whole * period);
  const n = 4;
  const memory = Math.max(whole + 1, gains.onTheWay.length);
  const { a, b: late } = discretise(plant, period);
  // ∫₀^(T−part) e^(A t) B dt: the newer torque; what is left of the whole period's effect is the older one's.
  const { b: newer } = discretise(plant, period - part);
  const older = add(late, newer, -1);

  const feedback: Matrix = [
    [
      -gains.x,
      -gains.v,
      -gains.pitch,
      -gains.pitchRate,
      ...Array.from({ length: memory }, (_, slot) => -(gains.onTheWay[slot - (memory - gains.onTheWay.length)] ?? 0)),
    ],
  ];
  // Torque sent k periods ago stands in slot memory − k; this period's has no slot yet.
  const slotOf = (periodsAgo: number) => n + memory - periodsAgo;
  const size = n + memory;
  const open = matrix(size, size, (i, j) => {
    if (i >= n) return i < size - 1 && j === i + 1 ? 1 : 0;
    if (j < n) return at(a, i, j);
    const fresh = whole > 0 && j === slotOf(whole) ? at(newer, i, 0) : 0;
    const old = j === slotOf(whole + 1) ? at(older, i, 0) : 0;
    return constant * (fresh + old);
  });
  const input = matrix(size, 1, (i) => {
    if (i === size - 1) return 1;
    return whole === 0 && i < n ? constant * at(newer, i, 0) : 0;
  });
  return add(open, multiply(input, feedback));
}

/**
 * Without torque a lean at rest grows as cosh(p·t). From the largest lean that may be armed it must not have grown, by the
 * end of an interruption, beyond what all the torque there is can still turn around: in the unstable coordinate
 * q = θ + θ̇/p, which grows as e^(p·t), that is c·τ/p², with c the angular acceleration per torque.
 */
function tolerableInterruption(robot: Robot): number {
  const p = unstablePole(robot);
  const reach = recoverableLean(robot);
  const { armingTilt } = robot.limits;
  if (!(armingTilt > 0)) return LONGEST;
  return Math.max(0, Math.log(reach / armingTilt) / p);
}

/** Largest θ + θ̇/p that all the torque of the policy's scale can still turn around, by the linear model [rad]. */
export function recoverableLean(robot: Robot): number {
  const { rollingMass: M, coupling: h, inertia: I, radius: R } = pendulumConstants(robot);
  const perTorque = (M + h / R) / (M * I - h * h);
  const torque = Math.min(robot.policy.torqueScale, 2 * robot.limits.wheelTorque);
  return (perTorque * torque) / unstablePole(robot) ** 2;
}

export interface BudgetInput {
  readonly limits: DelayLimits;
  readonly robot: Robot;
  /** [bit/s] */
  readonly baudRate: number;
  readonly measured?: MeasuredLatency | undefined;
  /** as the motor controller announced it [ms] */
  readonly announcedWatchdog?: number | undefined;
}

/** Where the delay goes, and whether it fits. */
export function delayBudget({ limits, robot, baudRate, measured, announcedWatchdog }: BudgetInput): DelayBudget {
  const onWire = (bytes: number) => ((bytes + FRAME_OVERHEAD) * BITS_PER_BYTE * 1000) / baudRate;
  const { timing } = robot;
  const shares: DelayShare[] = [
    { id: 'sensing', ms: timing.sensingDelay, source: 'robot file: timing.sensingDelay' },
    { id: 'sensors-on-wire', ms: onWire(PAYLOAD_SIZE.sensors), source: `a sensors frame at ${baudRate} baud` },
    {
      id: 'compute',
      ms: measured?.p999 ?? 0,
      source: measured ? `measured, p99.9 of ${measured.samples} answers` : 'not measured: control does not run',
    },
    { id: 'command-on-wire', ms: onWire(PAYLOAD_SIZE.command), source: `a command frame at ${baudRate} baud` },
    { id: 'actuation', ms: timing.actuationDelay, source: 'robot file: timing.actuationDelay' },
  ];
  const spent = shares.reduce((sum, { ms }) => sum + ms, 0);
  const watchdog = announcedWatchdog !== undefined && announcedWatchdog > 0 ? announcedWatchdog : timing.mcuWatchdog;
  const findings = [
    samplesFinding(measured),
    spentFinding(shares, spent, limits, measured),
    liveFinding(robot, limits),
    watchdogFinding(watchdog, limits),
  ];
  return { ...limits, shares, spent, measured, watchdog, findings };
}

const ms = (value: number) => `${value.toFixed(1)} ms`;

function samplesFinding(measured: MeasuredLatency | undefined): DelayFinding {
  const enough = measured !== undefined && measured.samples >= LEAST_SAMPLES;
  return {
    id: 'delay-samples',
    verdict: measured === undefined ? 'warn' : enough ? 'pass' : 'fail',
    found:
      measured === undefined
        ? 'the latency of control was not measured'
        : `the latency was measured on ${measured.samples} answers, ${LEAST_SAMPLES} wanted`,
    remedy: enough ? '' : measured === undefined ? 'start `h2o-edge run` and ask again' : 'wait a moment',
  };
}

/** What shortens each stretch of the way. */
const SHORTEN: Readonly<Record<DelayShare['id'], string>> = {
  sensing: 'use a faster IMU or filter, and correct timing.sensingDelay in the robot file',
  'sensors-on-wire': 'raise serial.baudRate at both ends',
  compute:
    'give control real-time priority (`h2o-edge run` as a user who may), lower the load, or use a faster machine',
  'command-on-wire': 'raise serial.baudRate at both ends',
  actuation: 'use faster drives, and correct timing.actuationDelay in the robot file',
};

function spentFinding(
  shares: readonly DelayShare[],
  spent: number,
  { tolerable }: DelayLimits,
  measured: MeasuredLatency | undefined,
): DelayFinding {
  // Not a number is not known, and what is not known does not fit.
  const fits = spent <= tolerable;
  const longest = shares.reduce((most, share) => (share.ms <= most.ms ? most : share));
  const tight = fits && spent > 0.8 * tolerable;
  return {
    id: 'delay-budget',
    verdict: !fits ? 'fail' : tight ? 'warn' : 'pass',
    found: `${ms(spent)} from sampling to torque${measured ? ` with a p99.9 latency of ${ms(measured.p999)}` : ', latency left out'}, ${ms(tolerable)} are tolerable`,
    remedy: fits && !tight ? '' : `most of it is ${longest.id}, ${ms(longest.ms)}: ${SHORTEN[longest.id]}`,
  };
}

function liveFinding({ timing }: Robot, { tolerable }: DelayLimits): DelayFinding {
  const fits = timing.commandTimeToLive <= tolerable;
  return {
    id: 'time-to-live',
    verdict: fits ? 'pass' : 'fail',
    found: `a command lives ${ms(timing.commandTimeToLive)} from the sampling that it answers, ${ms(tolerable)} are tolerable`,
    remedy: fits
      ? ''
      : 'lower timing.commandTimeToLive in the robot file: a command that is too old to balance must not act',
  };
}

function watchdogFinding(watchdog: number, { interruption }: DelayLimits): DelayFinding {
  const fits = watchdog <= interruption;
  return {
    id: 'watchdog-budget',
    verdict: fits ? 'pass' : 'fail',
    found: `the motor controller brakes after ${ms(watchdog)} without a command; after ${ms(interruption)} without torque nothing saves a robot that leant as far as may be armed`,
    remedy: fits ? '' : 'set a shorter watchdog in the firmware, and timing.mcuWatchdog in the robot file to it',
  };
}
