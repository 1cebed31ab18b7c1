import type { Facts } from '../safety/facts.ts';
import type { SafetyState } from '../safety/supervisor.ts';
import type { Controllers } from './controllers.ts';
import type { EstopLatch } from './estop-latch.ts';
import type { McuSession } from './mcu-session.ts';
import type { OperatorWatch } from './operator-watch.ts';
import { OverrunCounter } from './overrun-counter.ts';
import type { Estimated } from './tick.ts';

export interface FactSources {
  readonly operator: OperatorWatch;
  readonly session: McuSession;
  readonly controllers: Controllers;
  readonly latch: EstopLatch;
}

/** What is asked anew whenever the table is looked at, because it changes between frames. */
type Momentary =
  | 'estopLatched'
  | 'estopNotPersisted'
  | 'session'
  | 'silent'
  | 'linkOpen'
  | 'shuttingDown'
  | 'stopInputLost';

/** Frames in a row that the MCU did not hear, after which it is greeted anew: it may have missed that it was restarted. */
const UNHEARD_FRAMES = 100;

/** Collects what the failsafe table looks at, from everywhere in `control`. Judges nothing. */
export class FactGatherer {
  readonly overruns = new OverrunCounter();
  linkOpen = false;
  silent = false;
  shuttingDown = false;
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

  constructor(sources: FactSources) {
    this.#sources = sources;
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
      attitudeNorm: estimate.attitudeNorm,
      specificForce: estimate.specificForce,
      gravityError: estimate.gravityError,
      tilt: estimate.tilt,
      angularRate: estimate.angularRate,
      wheelSpeed: estimate.wheelSpeed,
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
      clockStuck: this.#clockStuck,
      // One that was active and is idle again must not be made active by the next command: it forgot that it was stopped.
      mcuRestarted:
        armed && (session.restarts !== this.#restartsAtArming || (this.#wasActive && sensors.state === 'idle')),
      // Who does not move need not be watched.
      heartbeatLost: operator.isLost(tick.mcuTimeUs) && before.robotState === 'running',
      policyLateness: controllers.lateness,
      policyNonFinite: controllers.nonFinite,
      overruns: this.overruns.inARow,
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
      estopNotPersisted: latch.notPersisted || latch.unwritable,
      stopInputLost: this.stopInputLost,
    };
  }

  #count({ sensors, dtUs, first }: Estimated, { robotState }: SafetyState): void {
    const running = robotState === 'running';
    const active = sensors.state === 'active';
    this.#framesRefused = running && !active ? this.#framesRefused + 1 : 0;
    this.#framesDisobeyed = !running && active ? this.#framesDisobeyed + 1 : 0;
    this.#wasActive = running && (this.#wasActive || active);
    this.#clockStuck = !first && dtUs <= 0 ? this.#clockStuck + 1 : 0;
    this.#framesUnheard = sensors.commandFresh ? 0 : this.#framesUnheard + 1;
    if (this.#framesUnheard >= UNHEARD_FRAMES) {
      this.#framesUnheard = 0;
      this.#sources.session.greetAnew();
    }
  }
}
