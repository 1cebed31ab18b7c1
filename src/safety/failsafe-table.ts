import type { Condition } from './condition.ts';
import { SURROUNDING_CONDITIONS } from './conditions/around.ts';
import { DRIVE_CONDITIONS } from './conditions/drives.ts';
import { ENCODER_CONDITIONS } from './conditions/encoders.ts';
import { IMU_CONDITIONS } from './conditions/imu.ts';
import { LINE_CONDITIONS } from './conditions/line.ts';
import { MOTOR_CONDITIONS } from './conditions/motors.ts';
import { OPERATOR_CONDITIONS } from './conditions/operator.ts';
import { POLICY_CONDITIONS } from './conditions/policy.ts';
import type { Facts } from './facts.ts';

export type { Clears, Condition } from './condition.ts';

/** Rate deviation that is still the same rate. */
const RATE_TOLERANCE = 0.05;
/** Missing frames in a row that are no longer an accident. */
const GAP_FRAMES = 5;

/** The rate differs from what the MCU announced. Unknown is not wrong: arming asks for a known one. */
const rateIsOff = (facts: Facts) => Math.abs(facts.rate / facts.nominalRate - 1) > RATE_TOLERANCE;

/**
 * The failsafe table: condition → action → when it clears. Order is the order of bits in a row's `conditions` mask, so
 * new conditions go to the end, as a new list of `conditions/`
 * or of an own file. Guard, CLI, tests and console all step through this one table.
 */
export const FAILSAFE_TABLE = [
  {
    id: 'estop',
    says: 'an emergency stop was asked for',
    remedy: 'make the place safe, then `h2o-edge reset`',
    action: 'estop',
    clears: 'reset',
    debounce: 1,
    threshold: () => 'anybody said stop',
    source: 'by design: stopping is always allowed, by anyone',
    holds: (facts) => facts.estopLatched,
  },
  {
    id: 'mcu-estopped',
    says: 'the motor controller is e-stopped',
    remedy: 'make the place safe, then `h2o-edge reset`',
    action: 'estop',
    clears: 'reset',
    debounce: 1,
    threshold: () => 'its sensor frames say so',
    source: 'PROTOCOL.md: estopped is left only by clear',
    holds: (facts) => facts.mcuState === 'estopped',
  },
  {
    id: 'mcu-fault',
    says: 'the motor controller reports a hardware fault',
    remedy: 'see the fault names in `h2o-edge status`, mend the cause, then `h2o-edge reset`',
    action: 'limp',
    clears: 'reset',
    debounce: 1,
    threshold: () => 'any fault bit, or its state is `faulted`',
    source: 'PROTOCOL.md: every fault bit latches',
    holds: (facts) => facts.mcuState === 'faulted' || facts.faults > 0,
  },
  {
    id: 'mcu-watchdog',
    says: 'the motor controller braked because no valid command reached it in time',
    remedy: 'see latency and link counters in `h2o-edge status`, then `h2o-edge reset`',
    action: 'brake',
    clears: 'reset',
    debounce: 1,
    threshold: ({ timing }) => `no valid command for ${timing.mcuWatchdog} ms at the motor controller`,
    source: 'robot file: timing.mcuWatchdog',
    holds: (facts) => facts.watchdogLatched,
  },
  {
    id: 'mcu-not-active',
    says: 'the motor controller does not follow: it stays idle although it was told to be active',
    remedy: 'it was restarted or refuses the commands; see its counters, disarm and arm again',
    action: 'limp',
    clears: 'disarm',
    debounce: 1,
    threshold: () => '20 frames after it was told to be active',
    source: 'assumed: 20 frames to become active',
    holds: (facts) => facts.framesRefused > 20,
  },
  {
    id: 'mcu-disobeys',
    says: 'the motor controller drives although it was told not to',
    remedy: 'find out who commands it; make the place safe, then `h2o-edge reset`',
    action: 'estop',
    clears: 'reset',
    debounce: 1,
    threshold: () => '20 frames after it was told not to be active',
    source: 'assumed: 20 frames to follow',
    holds: (facts) => facts.framesDisobeyed > 20,
  },
  {
    id: 'mcu-restarted',
    says: 'the motor controller started anew while the robot was armed',
    remedy: 'find out why (supply, watchdog, firmware); disarm and arm again',
    action: 'limp',
    clears: 'disarm',
    debounce: 1,
    threshold: () => 'a new nonce in its hello, or idle after it was active',
    source:
      'PROTOCOL.md §7.5: latches do not outlive a reset of the MCU, so the host must not go on as if nothing were',
    holds: (facts) => facts.mcuRestarted,
  },
  {
    id: 'estimate-not-finite',
    says: 'the state estimate is not a number',
    remedy: 'report this with the log; disarm and arm again',
    action: 'brake',
    clears: 'disarm',
    debounce: 3,
    threshold: () => 'any number of the estimate, for 3 frames',
    source: 'no controller can act on it',
    holds: (facts) => !facts.estimateFinite,
  },
  {
    id: 'attitude-implausible',
    says: 'the attitude from the IMU is no rotation',
    remedy: 'the IMU or its wiring is broken; mend it, disarm and arm again',
    action: 'brake',
    clears: 'disarm',
    debounce: 2,
    threshold: () => 'length of the quaternion 10 % off 1, for 2 frames',
    source: 'assumed: 10 % off unit length; the wire rounds to 0.01 %',
    // All zeros would otherwise read as upright for ever.
    holds: (facts) => !(Math.abs(facts.attitudeNorm - 1) <= 0.1),
  },
  {
    id: 'tilt',
    says: 'the robot leans too far to be saved',
    remedy: 'lift it upright, disarm and arm again',
    action: 'limp',
    clears: 'disarm',
    debounce: 1,
    threshold: ({ limits }) => `${limits.tilt.toFixed(3)} rad between the body's z axis and the vertical`,
    source: 'robot file: limits.tilt; both tasks end there',
    holds: (facts, robot) => !(facts.tilt <= robot.limits.tilt),
  },
  {
    id: 'wheel-overspeed',
    says: 'a wheel turns faster than the robot can use: it runs away or is off the ground',
    remedy: 'put it on the ground, disarm and arm again',
    action: 'limp',
    clears: 'disarm',
    debounce: 3,
    threshold: ({ limits }) => `${limits.wheelSpeed} rad/s against the shank, for 3 frames`,
    source: 'robot file: limits.wheelSpeed',
    holds: (facts, robot) => !(facts.wheelSpeed <= robot.limits.wheelSpeed),
  },
  {
    id: 'sensor-gap',
    says: 'sensor frames are missing',
    remedy: 'see the link counters in `h2o-edge status`: noise, a second program on the port, a loaded machine',
    action: 'brake',
    clears: 'disarm',
    debounce: 1,
    threshold: () => `${GAP_FRAMES} frames missing in a row, or as much time without one`,
    source: `assumed: ${GAP_FRAMES} frames, 25 ms at 200 Hz, the time to live of a command`,
    holds: (facts) => facts.lost >= GAP_FRAMES || facts.dtUs * facts.nominalRate > (GAP_FRAMES + 1) * 1e6,
  },
  {
    id: 'clock-stuck',
    says: "the motor controller's clock stands still",
    remedy: 'report this to the firmware author; disarm and arm again',
    action: 'brake',
    clears: 'disarm',
    debounce: 1,
    threshold: () => '3 frames without time between them',
    source: 'assumed: three frames; without time between frames no limit of change has a meaning',
    holds: (facts) => facts.clockStuck >= 3,
  },
  {
    id: 'shutting-down',
    says: 'control was told to end',
    remedy: 'start it again with `h2o-edge run`',
    action: 'brake',
    clears: 'disarm',
    debounce: 1,
    threshold: () => 'SIGTERM or SIGINT',
    source: 'a controlled stop is better than the watchdog of the motor controller',
    holds: (facts) => facts.shuttingDown,
  },
  {
    id: 'link-lost',
    says: 'the serial port is gone',
    remedy: 'plug it in; `h2o-edge control` reopens it by itself',
    action: 'brake',
    clears: 'disarm',
    debounce: 1,
    threshold: () => 'the port is closed',
    source: 'robot file: timing.sensorSilence',
    holds: (facts) => !facts.linkOpen,
  },
  {
    id: 'sensor-silence',
    says: 'no byte has come from the motor controller for a while',
    remedy: 'it brakes by its own watchdog; see the link counters in `h2o-edge status`',
    action: 'warn',
    clears: 'itself',
    debounce: 1,
    threshold: ({ timing }) => `no byte for ${timing.sensorSilence} ms by the host's clock`,
    // Every command answers a frame, so in silence there is nothing that the host could do; the MCU's watchdog acts.
    source: 'robot file: timing.sensorSilence',
    holds: (facts) => facts.silent,
  },
  {
    id: 'schema-mismatch',
    says: 'the motor controller speaks another version of the protocol',
    remedy: 'build firmware and h2o-edge from the same firmware-protocol/messages.yaml',
    action: 'brake',
    clears: 'itself',
    debounce: 1,
    threshold: () => 'another schema hash or protocol version in its hello',
    source: 'PROTOCOL.md: ends with different hashes refuse each other',
    holds: (facts) => facts.session === 'mismatch',
  },
  {
    id: 'foreign-host',
    says: 'another program talks to the motor controller on this port',
    remedy: 'find it with `fuser -v PORT` and end it',
    action: 'fallback',
    clears: 'disarm',
    debounce: 1,
    threshold: () => 'a hello answer with another nonce, or one that was not asked for',
    source: 'PROTOCOL.md: a hello answer with another nonce, or one not asked for',
    holds: (facts) => facts.session === 'foreign' || facts.foreignHellos > 0,
  },
  {
    id: 'rate-off',
    says: 'sensor frames come at another rate than the motor controller announced',
    remedy: 'correct the rate in the firmware',
    action: 'fallback',
    clears: 'itself',
    debounce: 10,
    recovery: 100,
    threshold: () => `${RATE_TOLERANCE * 100} % off, mean of 100 frames, for 10 frames`,
    source: `assumed: ${RATE_TOLERANCE * 100} %`,
    holds: rateIsOff,
  },
  {
    id: 'policy-not-finite',
    says: 'the policy answered with something that is not a number; the balancer took over',
    remedy: 'choose another policy, or the balancer',
    action: 'fallback',
    clears: 'new-mode',
    debounce: 1,
    threshold: () => 'one action',
    source: 'no command can be made of it',
    holds: (facts) => facts.policyNonFinite > 0,
  },
  {
    id: 'policy-late',
    says: 'the policy is too slow for its rate; the balancer took over',
    remedy: 'use a smaller network or a faster machine; see latency in `h2o-edge status`',
    action: 'fallback',
    clears: 'new-mode',
    debounce: 1,
    threshold: () => 'three late runs close together (late +4, in time -1, limit 10)',
    source: 'assumed: three late runs close together (late +4, in time -1, limit 10)',
    holds: (facts) => facts.policyLateness > 10,
  },
  {
    id: 'heartbeat-lost',
    says: 'the operator who set the robot moving is not there any more; the robot holds',
    remedy: 'give the mode again and keep the heartbeat up',
    action: 'fallback',
    // It must not drive off by itself when a network comes back.
    clears: 'new-mode',
    debounce: 1,
    threshold: () => 'no heartbeat for `operatorHeartbeat` of the configuration, while moving',
    source: 'configuration: operatorHeartbeat',
    holds: (facts) => facts.heartbeatLost,
  },
  {
    id: 'overrun',
    says: 'answers take longer than a frame period',
    remedy: 'give control real-time priority (`h2o-edge run` as a user who may), or lower the load',
    action: 'warn',
    clears: 'itself',
    debounce: 1,
    recovery: 20,
    threshold: () => '5 in a row',
    source: 'assumed: five in a row; the MCU drops what comes too late',
    holds: (facts) => facts.overruns >= 5,
  },
  {
    id: 'battery-low',
    says: 'the battery is nearly empty',
    remedy: 'charge it',
    action: 'warn',
    clears: 'itself',
    debounce: 100,
    recovery: 200,
    threshold: ({ limits }) => `below ${limits.batteryMinimum} V for 100 frames`,
    source: 'robot file: limits.batteryMinimum',
    holds: (facts, robot) => facts.battery < robot.limits.batteryMinimum,
  },
  {
    id: 'temperature-high',
    says: 'a motor or the board is too hot',
    remedy: 'let it cool down',
    action: 'warn',
    clears: 'itself',
    debounce: 100,
    recovery: 200,
    threshold: ({ limits }) => `${limits.temperatureMaximum} °C for 100 frames`,
    source: 'robot file: limits.temperatureMaximum',
    holds: (facts, robot) => facts.temperature > robot.limits.temperatureMaximum,
  },
  {
    id: 'estop-not-persisted',
    says: 'a stop could not be written to disk, or would not outlive a power cut now',
    remedy: 'free or mend the disk of the state directory; until then arming is refused',
    action: 'warn',
    clears: 'itself',
    debounce: 1,
    threshold: () => 'the disk refused it',
    source: 'by design: a dead disk never delays a stop; it refuses arming',
    holds: (facts) => facts.estopNotPersisted,
  },
  ...IMU_CONDITIONS,
  ...MOTOR_CONDITIONS,
  ...LINE_CONDITIONS,
  ...POLICY_CONDITIONS,
  ...SURROUNDING_CONDITIONS,
  ...ENCODER_CONDITIONS,
  ...DRIVE_CONDITIONS,
  ...OPERATOR_CONDITIONS,
] as const satisfies readonly Condition[];

export type ConditionId = (typeof FAILSAFE_TABLE)[number]['id'];

/** Of these a robot that balances falls, and is let go of. */
export const FALLS: readonly ConditionId[] = ['tilt', 'fall-predicted'];

/** Ids in the table's order. */
export const CONDITION_IDS: readonly ConditionId[] = FAILSAFE_TABLE.map((row) => row.id);

/** Masks of conditions have 64 bits, in memory and in rows; the table holds no more. */
export const MOST_CONDITIONS = 64;

/** Bit of each row, in the table's order. */
export const CONDITION_BITS: readonly bigint[] = FAILSAFE_TABLE.map((_, index) => 1n << BigInt(index));

/** Bit of a condition in a mask. */
export const conditionBit = (id: ConditionId): bigint => 1n << BigInt(CONDITION_IDS.indexOf(id));

type Row = Condition & { readonly id: ConditionId };

const NO_CONDITIONS: readonly Row[] = [];

/** The rows whose bits are set, in the table's order. */
export const activeConditions = (mask: bigint): readonly Row[] =>
  mask === 0n ? NO_CONDITIONS : FAILSAFE_TABLE.filter((_, index) => (mask & (CONDITION_BITS[index] ?? 0n)) !== 0n);
