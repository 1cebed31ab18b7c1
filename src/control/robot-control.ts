import { type Observable, Subject } from 'rxjs';
import type { ArmedMode, Mode } from '../messages/mode.ts';
import type { Refusal } from '../messages/requests.ts';
import type { Robot } from '../robot/robot.ts';
import { armingChecks, type ControllerInfo } from '../safety/arming.ts';
import { type Facts, NO_FACTS, type SessionState } from '../safety/facts.ts';
import { guard } from '../safety/guard.ts';
import * as supervisor from '../safety/supervisor.ts';
import type { Controllers } from './controllers.ts';
import type { EstopLatch } from './estop-latch.ts';
import type { McuSession } from './mcu-session.ts';
import type { EpisodeClock } from './observe.ts';
import { OverrunCounter } from './overrun-counter.ts';
import type { Decided, Guarded } from './tick.ts';

export interface RobotControlParts {
  readonly robot: Robot;
  readonly session: McuSession;
  readonly controllers: Controllers;
  readonly episodes: EpisodeClock;
  readonly latch: EstopLatch;
  /** why a policy that was asked for is not there */
  readonly refusedPolicies: ReadonlyMap<string, string>;
}

/** Something that a person may want to know, for the log and for whoever listens on the socket. */
export interface ControlEvent {
  readonly event: string;
  readonly [detail: string]: unknown;
}

/** Frames between two attempts to make the MCU follow an e-stop or a clear: 50 ms at 200 Hz. */
const REPEAT_FRAMES = 10;

/**
 * The robot as `control` holds it: its safety state, who may change it, and the guard's memory from frame to frame.
 * Frames come through `guard`, orders through the other methods; both run on one thread, one after the other.
 */
export class RobotControl {
  readonly #parts: RobotControlParts;
  readonly #events = new Subject<ControlEvent>();
  readonly overruns: OverrunCounter;
  #safety = supervisor.INITIAL_SAFETY_STATE;
  #facts: Facts = NO_FACTS;
  #linkOpen = false;
  #silent = false;
  #torque: readonly [number, number] = [0, 0];
  #temperatures = new Map<number, number>();
  #framesRefused = 0;
  /** the MCU has been active in this mode */
  #wasActive = false;
  #restartsAtArming = 0;
  #framesUntilRepeat = 0;
  #clearing = false;

  constructor(parts: RobotControlParts) {
    this.#parts = parts;
    this.overruns = new OverrunCounter();
    if (parts.latch.latched) this.#safety = supervisor.estop(this.#safety);
  }

  get events$(): Observable<ControlEvent> {
    return this.#events;
  }

  get safety(): supervisor.SafetyState {
    return this.#safety;
  }

  get facts(): Facts {
    return this.#facts;
  }

  /** Total torque of the latest command [N·m]. */
  get sentTorque(): number {
    return this.#torque[0] + this.#torque[1];
  }

  // --- frames -------------------------------------------------------------------------------------------------------

  /** One frame: facts, failsafe table, then the command that answers it. */
  guard(decided: Decided): Guarded {
    const { robot, session } = this.#parts;
    this.#supervise(this.#factsOf(decided));
    this.#remindMcu(decided);
    const { command, limits } = guard(
      {
        robotState: this.#safety.robotState,
        request: decided.request,
        previous: this.#torque,
        dt: decided.dtUs / 1e6,
        session: session.nonce,
        answers: decided.wireSequence,
      },
      robot,
    );
    this.#torque = command.wheelTorque;
    const running = this.#safety.robotState === 'running';
    const obeyed = decided.sensors.state === 'active';
    this.#framesRefused = running && !obeyed ? this.#framesRefused + 1 : 0;
    this.#wasActive = running && (this.#wasActive || obeyed);
    return {
      ...decided,
      command,
      robotState: this.#safety.robotState,
      limits: decided.requestLimits | limits,
      conditions: this.#safety.active,
    };
  }

  /** The port was opened or lost; without frames nobody else would look at the failsafe table. */
  linkChanged(open: boolean): void {
    this.#linkOpen = open;
    if (!open) this.#supervise({ ...this.#facts, linkOpen: false, framesInARow: 0 });
  }

  /** The MCU answered, or no longer obeys this host. */
  sessionChanged(session: SessionState): void {
    if (session !== 'accepted') this.#supervise({ ...this.#facts, session, framesInARow: 0 });
  }

  linkSilent(silent: boolean): void {
    this.#silent = silent;
    if (silent) this.#supervise({ ...this.#facts, silent: true });
  }

  #factsOf(tick: Decided): Omit<Facts, 'estopLatched' | 'estopNotPersisted'> {
    const { session, controllers } = this.#parts;
    const { sensors, estimate } = tick;
    if (sensors.temperature < 255) this.#temperatures.set(tick.wireSequence % 8, sensors.temperature);
    // The MCU leaves a latch only for idle, so what it says itself outranks what was last announced.
    if (sensors.state === 'idle' || sensors.state === 'active') session.latchCause = 'none';
    return {
      mcuTimeUs: tick.mcuTimeUs,
      dtUs: tick.dtUs,
      lost: tick.lost,
      framesInARow: tick.framesInARow,
      rate: tick.rate,
      nominalRate: session.peer?.sensorRate ?? Number.NaN,
      estimateFinite: estimate.finite,
      attitudeNorm: estimate.attitudeNorm,
      tilt: estimate.tilt,
      angularRate: estimate.angularRate,
      wheelSpeed: estimate.wheelSpeed,
      battery: sensors.battery,
      temperature: this.#temperatures.size > 0 ? Math.max(...this.#temperatures.values()) : Number.NaN,
      mcuState: sensors.state,
      faults: sensors.faults,
      watchdogLatched: session.latchCause === 'watchdog',
      session: session.state,
      foreignHellos: session.foreignHellos,
      framesRefused: this.#framesRefused,
      // One that was active and is idle again must not be made active by the next command: it forgot that it was stopped.
      mcuRestarted: session.restarts !== this.#restartsAtArming || (this.#wasActive && sensors.state === 'idle'),
      policyLateness: controllers.lateness,
      policyNonFinite: controllers.nonFinite,
      overruns: this.overruns.inARow,
      silent: this.#silent,
      linkOpen: this.#linkOpen,
    };
  }

  #supervise(facts: Omit<Facts, 'estopLatched' | 'estopNotPersisted'>): void {
    const { latch, robot } = this.#parts;
    // The latch changes between frames, and facts may be those of an earlier frame: ask it now.
    this.#facts = { ...facts, estopLatched: latch.latched, estopNotPersisted: latch.notPersisted };
    const before = this.#safety;
    this.#safety = supervisor.superviseFrame(before, this.#facts, robot);
    if (this.#safety.robotState === 'estopped' && !latch.latched) {
      // The MCU's own stop input acted: the stop is as good as anybody's.
      void this.estop('motor controller');
    }
    this.#announce(before, this.#safety);
  }

  /** Makes a deaf MCU follow a stop, and carries a reset to it, until its frames say that it did. */
  #remindMcu({ sensors }: Decided): void {
    const { session } = this.#parts;
    const clear = this.#clearing && sensors.state !== 'idle';
    const stop = !this.#clearing && this.#safety.robotState === 'estopped' && sensors.state !== 'estopped';
    if (!clear && !stop) return;
    this.#framesUntilRepeat -= 1;
    if (this.#framesUntilRepeat > 0) return;
    this.#framesUntilRepeat = REPEAT_FRAMES;
    if (clear) session.clearLatch();
    else session.estop();
  }

  // --- orders -------------------------------------------------------------------------------------------------------

  /**
   * Stops: latched in memory and on the wire before this returns to the event loop, whatever the disk does.
   * @returns whether the latch is on the disk
   */
  async estop(source: string): Promise<boolean> {
    const { latch, session } = this.#parts;
    // A stop in the middle of a reset is a new one: it must outlive the reset.
    const repeated = latch.latched && !this.#clearing;
    const before = this.#safety;
    this.#clearing = false;
    this.#safety = supervisor.estop(before);
    if (repeated) {
      // A flood of stops costs neither ticks nor writes: `#remindMcu` goes on until the MCU follows.
      return await latch.persisted();
    }
    latch.latch(source);
    session.estop();
    const persisted = latch.persisted();
    this.#events.next({ event: 'estop', source });
    this.#announce(before, this.#safety);
    return await persisted;
  }

  /** Stopping the gentle way: torque off. Always allowed. */
  disarm(): void {
    const before = this.#safety;
    this.#safety = supervisor.disarm(before);
    this.#announce(before, this.#safety);
  }

  /** What the arming checks say of a mode now. */
  checks(mode: ArmedMode) {
    return armingChecks(mode, this.#safety, this.#facts, this.#controllerInfo(mode), this.#parts.robot);
  }

  /** @returns why not, or `undefined` when the mode is in force */
  enterMode(mode: Mode): Refusal | undefined {
    if (mode.task === 'disarmed') {
      this.disarm();
      return undefined;
    }
    const failed = this.checks(mode).filter((check) => !check.ok);
    if (failed.length > 0) {
      return {
        code: `not-armed: ${failed.map((check) => check.id).join(', ')}`,
        message: failed.map((check) => `${check.id}: ${check.found}`).join('; '),
        remedy: failed.map((check) => check.remedy).join('; '),
      };
    }
    const before = this.#safety;
    const { controllers, episodes } = this.#parts;
    controllers.begin(mode);
    const sameTask = before.robotState === 'running' && before.mode.task === mode.task;
    if (sameTask) episodes.startEpisode();
    else episodes.startTask(mode.task);
    this.#framesRefused = 0;
    if (before.robotState === 'disarmed') {
      this.#wasActive = false;
      this.#restartsAtArming = this.#parts.session.restarts;
    }
    this.#safety = supervisor.enterMode(before, mode);
    this.#announce(before, this.#safety);
    return undefined;
  }

  /**
   * Undoes a stop: the MCU's latch first, then the disk's, then ours, so that whatever fails leaves the robot stopped.
   * The caller has checked who asks.
   * @param settled resolves when the MCU had time to follow
   */
  async reset(settled: () => Promise<void>): Promise<Refusal | undefined> {
    const { latch } = this.#parts;
    if (!this.#linkOpen || this.#facts.session !== 'accepted') {
      return {
        code: 'mcu-unreachable',
        message: 'the motor controller does not answer, so its latch cannot be cleared',
        remedy: 'check cable and power, then reset again',
      };
    }
    this.#clearing = true;
    this.#framesUntilRepeat = 0;
    await settled();
    // A stop during the wait has ended the clearing and wins.
    if (!this.#clearing) return OVERTAKEN;
    if (this.#facts.mcuState !== 'idle') {
      this.#clearing = false;
      return {
        code: 'mcu-latched',
        message: `the motor controller stays ${this.#facts.mcuState}`,
        remedy: 'its fault persists: see the fault names in `h2o-edge status`',
      };
    }
    const released = await latch.release();
    this.#clearing = false;
    if (!released) {
      return latch.problem === ''
        ? OVERTAKEN
        : {
            code: 'latch-not-removed',
            message: `the latch could not be removed from disk: ${latch.problem}`,
            remedy: 'mend the state directory, then reset again',
          };
    }
    const before = this.#safety;
    this.#safety = supervisor.reset(before);
    this.#parts.session.foreignHellos = 0;
    this.#events.next({ event: 'reset' });
    this.#announce(before, this.#safety);
    return undefined;
  }

  /** True while a reset waits for the MCU. */
  get mcuIsIdle(): boolean {
    return this.#facts.mcuState === 'idle';
  }

  #controllerInfo(mode: ArmedMode): ControllerInfo {
    const { controllers } = this.#parts;
    const rate = this.#facts.nominalRate;
    // The balancer is every policy's reserve: without one for this rate nothing may run.
    if (controllers.rate !== rate) return { kind: 'missing', reason: `no balancer for sensor frames at ${rate} Hz` };
    if (mode.controller === 'balancer') return { kind: 'balancer' };
    const policy = controllers.policy(mode.controller);
    if (policy) return { kind: 'policy', task: policy.task, rate: policy.rate };
    const refused = this.#parts.refusedPolicies.get(mode.controller);
    return {
      kind: 'missing',
      reason: refused ? `${mode.controller} was refused: ${refused}` : `there is no policy "${mode.controller}"`,
    };
  }

  #announce(before: supervisor.SafetyState, after: supervisor.SafetyState): void {
    if (before.robotState !== after.robotState || before.mode !== after.mode) {
      this.#events.next({ event: 'state', from: before.robotState, to: after.robotState, mode: after.mode });
    }
    if (before.active !== after.active) {
      const reasons = supervisor.reasons(after.active);
      this.#events.next({ event: 'conditions', active: reasons });
    }
  }
}

const OVERTAKEN: Refusal = {
  code: 'stopped-again',
  message: 'another stop came while the reset was under way',
  remedy: 'make the place safe, then reset again',
};
