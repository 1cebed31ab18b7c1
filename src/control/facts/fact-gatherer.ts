import type { LinkCounters } from '../../protocol/link-counters.ts';
import type { Sensors } from '../../protocol/messages.gen.ts';
import type { Robot } from '../../robot/robot.ts';
import { DriveWatch } from '../../safety/drive-watch.ts';
import { EncoderWatch } from '../../safety/encoder-watch.ts';
import type { Facts } from '../../safety/facts.ts';
import { ImuWatch } from '../../safety/imu-watch.ts';
import { LeakyCount } from '../../safety/leaky-count.ts';
import type { SafetyState } from '../../safety/supervisor.ts';
import { WheelWatch } from '../../safety/wheel-watch.ts';
import type { Controllers } from '../controllers/controllers.ts';
import type { McuSession } from '../mcu/mcu-session.ts';
import type { StopLatch } from '../stopping/estop-latch.ts';
import type { Estimated } from '../tick.ts';
import type { OperatorWatch } from './operator-watch.ts';
import { OverrunCounter } from './overrun-counter.ts';
import type { Surroundings } from './surroundings.ts';

export interface FactSources {
  readonly operator: OperatorWatch;
  readonly session: McuSession;
  readonly controllers: Controllers;
  readonly latch: StopLatch;
  readonly robot: Robot;
}

/** What is asked anew whenever the table is looked at, because it changes between frames. */
type Momentary =
  | 'estopLatched'
  | 'estopNotPersisted'
  | 'session'
  | 'silent'
  | 'linkOpen'
  | 'shuttingDown'
  | 'brokerLost'
  | 'recorderBehind'
  | 'diskFull'
  | 'stopInputLost';

/** Frames in a row that the MCU did not hear, after which it is greeted anew: it may have missed that it was restarted. */
const UNHEARD_FRAMES = 100;

/** Collects what the failsafe table looks at, from everywhere in `control`. Judges nothing. */
export class FactGatherer {
  readonly overruns = new OverrunCounter();
  linkOpen = false;
  silent = false;
  shuttingDown = false;
  /** of the line from the MCU, where there is one */
  line: Readonly<LinkCounters> | undefined;
  readonly #imu = new ImuWatch();
  readonly #wheels: WheelWatch;
  readonly #encoders = new EncoderWatch();
  readonly #drives = new DriveWatch();
  readonly #outOfOrder = new LeakyCount();
  readonly #damaged = new LeakyCount();
  readonly #surroundings: Surroundings;
  /** a stop input of the configuration cannot be read */
  stopInputLost = false;
  /** paths of the stop inputs with a button that is held down: no stop is undone meanwhile */
  stopsHeld: readonly string[] = [];
  readonly #sources: FactSources;
  /** by slot of the `temperature` field */
  readonly #temperatures = new Map<number, number>();
  #framesRefused = 0;
  #framesDisobeyed = 0;
  #framesUnheard = 0;
  #clockStuck = 0;
  /** the MCU has been active since the robot was armed */
  #wasActive = false;
  #restartsAtArming = 0;
  /** sensors that the MCU had while the robot was last disarmed */
  #had = { attitude: false, legs: false, torque: false };

  constructor(sources: FactSources, surroundings: Surroundings) {
    this.#sources = sources;
    this.#surroundings = surroundings;
    this.#wheels = new WheelWatch(sources.robot);
  }

  /** All that it remembers, as plain data; see `tape/snapshot.ts`. */
  remember() {
    return {
      imu: this.#imu.remember(),
      wheels: this.#wheels.remember(),
      encoders: this.#encoders.remember(),
      drives: this.#drives.remember(),
      temperatures: [...this.#temperatures],
      framesRefused: this.#framesRefused,
      framesDisobeyed: this.#framesDisobeyed,
      framesUnheard: this.#framesUnheard,
      clockStuck: this.#clockStuck,
      wasActive: this.#wasActive,
      had: this.#had,
    };
  }

  recall(memory: ReturnType<FactGatherer['remember']>): void {
    this.#imu.recall(memory.imu);
    this.#wheels.recall(memory.wheels);
    this.#encoders.recall(memory.encoders);
    this.#drives.recall(memory.drives);
    for (const [slot, temperature] of memory.temperatures) this.#temperatures.set(slot, temperature);
    this.#framesRefused = memory.framesRefused;
    this.#framesDisobeyed = memory.framesDisobeyed;
    this.#framesUnheard = memory.framesUnheard;
    this.#clockStuck = memory.clockStuck;
    this.#wasActive = memory.wasActive;
    this.#had = memory.had;
  }

  /** A mode begins; the MCU may take some frames to become active. */
  modeBegins(fromDisarmed: boolean): void {
    this.#framesRefused = 0;
    if (!fromDisarmed) return;
    this.#wasActive = false;
    this.#restartsAtArming = this.#sources.session.restarts;
  }

  /** Facts of one frame. `before` is the state that the frame finds. */
  gather(tick: Estimated, before: SafetyState): Facts {
    const { session, controllers, operator } = this.#sources;
    const { sensors, estimate } = tick;
    this.#count(tick, before);
    this.#watch(tick, before.robotState === 'running');
    if (sensors.temperature < 255) this.#temperatures.set(tick.wireSequence % 8, sensors.temperature);
    // The MCU leaves a latch only for idle, so what it says itself outranks what was last announced.
    if (sensors.state === 'idle' || sensors.state === 'active') session.latchCause = 'none';
    const armed = before.robotState !== 'disarmed';
    return this.refresh({
      mcuTimeUs: tick.mcuTimeUs,
      dtUs: tick.dtUs,
      lost: tick.lost,
      framesInARow: tick.framesInARow,
      rate: tick.rate,
      nominalRate: session.peer?.sensorRate ?? Number.NaN,
      estimateFinite: estimate.finite,
      sensorsLost: this.#sensorsLost(sensors, armed),
      attitudeNorm: estimate.attitudeNorm,
      specificForce: estimate.specificForce,
      gravityError: estimate.gravityError,
      tilt: estimate.tilt,
      tiltRate: estimate.tiltRate,
      angularRate: estimate.angularRate,
      imuStuckUs: this.#imu.stuckUs,
      attitudeError: this.#imu.attitudeError,
      meanSpecificForce: this.#imu.meanSpecificForce,
      wheelSpeed: estimate.wheelSpeed,
      encoderError: this.#encoders.error,
      driveGain: this.#drives.gain,
      wheelSlip: this.#wheels.slip,
      apparentInertia: this.#wheels.apparentInertia,
      legAngle: sensors.hasLegs ? farthest(sensors.legPosition) : Number.NaN,
      torqueError: this.#wheels.torqueError,
      battery: sensors.battery,
      temperature: this.#temperatures.size > 0 ? Math.max(...this.#temperatures.values()) : Number.NaN,
      mcuState: sensors.state,
      faults: sensors.faults,
      watchdogLatched: session.latchCause === 'watchdog',
      announcedWatchdog: session.peer?.watchdog ?? Number.NaN,
      announcedRobot: session.peer?.name ?? '',
      heard: sensors.commandFresh,
      foreignHellos: session.foreignHellos,
      framesRefused: this.#framesRefused,
      framesDisobeyed: this.#framesDisobeyed,
      framesUnheard: this.#framesUnheard,
      framesOutOfOrder: this.#outOfOrder.value,
      framesDamaged: this.#damaged.value,
      clockStuck: this.#clockStuck,
      // One that was active and is idle again must not be made active by the next command: it forgot that it was stopped.
      mcuRestarted:
        armed && (session.restarts !== this.#restartsAtArming || (this.#wasActive && sensors.state === 'idle')),
      // Who does not move need not be watched.
      heartbeatLost: operator.isLost(tick.mcuTimeUs) && before.robotState === 'running',
      policyLateness: controllers.lateness,
      policyNonFinite: controllers.nonFinite,
      policySaturatedUs: controllers.saturatedUs,
      policyOutOfRange: controllers.outOfRange,
      overruns: this.overruns.inARow,
      clockStep: this.#surroundings.clockStep(),
    });
  }

  /** The same facts, with those asked anew that change between frames. */
  refresh(facts: Omit<Facts, Momentary>): Facts {
    const { session, latch } = this.#sources;
    return {
      ...facts,
      session: session.state,
      silent: this.silent,
      linkOpen: this.linkOpen,
      shuttingDown: this.shuttingDown,
      estopLatched: latch.latched,
      brokerLost: this.#surroundings.brokerLost,
      recorderBehind: this.#surroundings.recorderBehind,
      diskFull: this.#surroundings.diskFull,
      estopNotPersisted: latch.notPersisted || latch.unwritable,
      stopInputLost: this.stopInputLost,
    };
  }

  #sensorsLost({ hasAttitude, hasLegs, hasWheelTorque }: Sensors, armed: boolean): number {
    if (!armed) this.#had = { attitude: hasAttitude, legs: hasLegs, torque: hasWheelTorque };
    const { attitude, legs, torque } = this.#had;
    return Number(attitude && !hasAttitude) + Number(legs && !hasLegs) + Number(torque && !hasWheelTorque);
  }

  /** What a look at one frame does not show. */
  #watch({ sensors, estimate, dtUs, first }: Estimated, running: boolean): void {
    const dt = dtUs / 1e6;
    const { gyro, acceleration, legVelocity, wheelVelocity } = sensors;
    const [w, x, y, z] = sensors.attitude;
    this.#imu.update({ gyro, acceleration, attitude: sensors.hasAttitude ? { w, x, y, z } : undefined, dt, first });
    const { pitch, pitchRate, yawRate } = estimate;
    this.#wheels.update({
      groundSpeed: [
        wheelVelocity[0] + legVelocity[0] + legVelocity[1] + pitchRate,
        wheelVelocity[1] + legVelocity[2] + legVelocity[3] + pitchRate,
      ],
      wheelVelocity,
      applied: sensors.wheelTorqueApplied,
      measured: sensors.hasWheelTorque ? sensors.wheelTorqueMeasured : undefined,
      pitchRate,
      yawRate,
      forwardAcceleration: acceleration[0] * Math.cos(pitch) + acceleration[2] * Math.sin(pitch),
      dt,
      // Wheels that nobody drives prove nothing: a robot that is being carried slips, in a way.
      first: first || !running,
    });
    this.#drives.update({
      applied: sensors.wheelTorqueApplied,
      measured: sensors.hasWheelTorque ? sensors.wheelTorqueMeasured : undefined,
      dt,
      first: first || !running,
    });
    this.#encoders.update({ position: sensors.wheelPosition, velocity: wheelVelocity, dt, first });
    const { line } = this;
    if (!line) return;
    this.#outOfOrder.update(line.outOfOrder + line.duplicated, dt);
    this.#damaged.update(damagedFrames(line), dt);
  }

  #count({ sensors, dtUs, first }: Estimated, { robotState }: SafetyState): void {
    const running = robotState === 'running';
    const active = sensors.state === 'active';
    this.#framesRefused = running && !active ? this.#framesRefused + 1 : 0;
    this.#framesDisobeyed = !running && active ? this.#framesDisobeyed + 1 : 0;
    this.#wasActive = running && (this.#wasActive || active);
    this.#clockStuck = !first && dtUs <= 0 ? this.#clockStuck + 1 : 0;
    this.#framesUnheard = sensors.commandFresh ? 0 : this.#framesUnheard + 1;
    if (this.#framesUnheard > 0 && this.#framesUnheard % UNHEARD_FRAMES === 0) this.#sources.session.greetAnew();
  }
}

const farthest = ([a, b, c, d]: readonly [number, number, number, number]): number =>
  Math.max(Math.abs(a), Math.abs(b), Math.abs(c), Math.abs(d));

const damagedFrames = (line: Readonly<LinkCounters>): number =>
  line.oversized + line.malformed + line.truncated + line.corrupted + line.wrongLength + line.unknownValue;
