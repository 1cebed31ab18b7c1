import { type Observable, Subject } from 'rxjs';
import type { ArmedMode, Mode } from '../messages/mode.ts';
import type { Refusal } from '../messages/requests.ts';
import type { TapedOrder } from '../messages/tape.ts';
import type { Robot } from '../robot/robot.ts';
import { robotForTask } from '../robot/task-limits.ts';
import { armingChecks, type ControllerInfo, momentChecks } from '../safety/arming.ts';
import { Blend } from '../safety/blend.ts';
import { type Facts, NO_FACTS } from '../safety/facts.ts';
import { guard } from '../safety/guard.ts';
import * as supervisor from '../safety/supervisor.ts';
import type { Controllers } from './controllers/controllers.ts';
import { DelayWatch } from './facts/delay-watch.ts';
import { FactGatherer } from './facts/fact-gatherer.ts';
import type { OperatorWatch } from './facts/operator-watch.ts';
import { Surroundings } from './facts/surroundings.ts';
import type { McuSession } from './mcu/mcu-session.ts';
import type { EpisodeClock } from './observe.ts';
import {
  latchNotRemoved,
  MCU_UNREACHABLE,
  mcuLatched,
  NOBODY_WATCHES,
  notArmed,
  notConfirmed,
  OVERTAKEN,
  stillPressed,
  UNDER_WAY,
} from './socket/refusals.ts';
import type { StopLatch } from './stopping/estop-latch.ts';
import type { ResetConfirmation } from './stopping/reset-confirmation.ts';
import { hashText } from './tape/describe-run.ts';

import type { Decided, Guarded } from './tick.ts';

export interface RobotControlParts {
  readonly robot: Robot;
  readonly session: McuSession;
  readonly controllers: Controllers;
  readonly episodes: EpisodeClock;
  readonly latch: StopLatch;
  readonly operator: OperatorWatch;
  readonly confirmation: ResetConfirmation;
  /** monotonic [ms] */
  readonly now: () => number;
  /** takes down what the failsafe table is about to see; a replay puts in what was taken down */
  readonly facts?: (facts: Facts) => Facts;
  /** takes down what takes effect between frames */
  readonly journal?: (order: TapedOrder) => void;
  /** why a policy that was asked for is not there */
  readonly refusedPolicies: ReadonlyMap<string, string>;
  /** wall clock [ms since 1970]; without one nobody watches it for jumps */
  readonly wall?: () => number;
  /** the wire, for the delay budget; without one nobody looks at it */
  readonly delay?: { readonly baudRate: number; readonly enforce: boolean };
}

/** Something that a person may want to know, for the log and for whoever listens on the socket. */
export interface ControlEvent {
  readonly event: string;
  readonly [detail: string]: unknown;
}

/** An e-stopped MCU says so every 100 ms; after this long without a word it is told again [ms]. */
const ECHO_FRESH = 300;

/**
 * The robot as `control` holds it: its safety state, who may change it, and the guard's memory from frame to frame.
 * Frames come through `guard`, orders through the other methods; both run on one thread, one after the other.
 */
export class RobotControl {
  readonly #parts: RobotControlParts;
  readonly #events = new Subject<ControlEvent>();
  readonly facts: FactGatherer;
  readonly surroundings: Surroundings;
  readonly delay: DelayWatch | undefined;
  #safety = supervisor.INITIAL_SAFETY_STATE;
  /** facts of the latest frame, or of what has happened since */
  #latest: Facts = NO_FACTS;
  readonly #blend: Blend;
  #torque: readonly [number, number] = [0, 0];
  #halts = 0;
  #orders = 0;
  #echoedAt = Number.NEGATIVE_INFINITY;
  /** when the latest sensor frame came [ms] */
  #seenAt = Number.NEGATIVE_INFINITY;
  /** a reset is under way, and the number of the latch that it is to clear */
  #clearing: { readonly latch: number } | undefined;

  constructor(parts: RobotControlParts) {
    this.#parts = parts;
    this.#blend = new Blend(parts.robot);
    this.surroundings = new Surroundings(parts);
    this.facts = new FactGatherer(parts, this.surroundings);
    this.delay =
      parts.delay &&
      new DelayWatch({
        ...parts,
        ...parts.delay,
        latency: this.facts.overruns.recent,
        announcedWatchdog: () => parts.session.peer?.watchdog ?? Number.NaN,
      });
    if (parts.latch.latched) this.#safety = supervisor.estop(this.#safety);
    parts.session.estopEcho$.subscribe(() => this.#estopEchoed());
  }

  get events$(): Observable<ControlEvent> {
    return this.#events;
  }

  /** Stops and disarmings so far: what was signed before the latest one starts nothing. */
  get halts(): number {
    return this.#halts;
  }

  /** Orders that anybody has given so far: stops, disarmings and modes. Who has seen the number can tell whether others came since. */
  get orders(): number {
    return this.#orders;
  }

  get safety(): supervisor.SafetyState {
    return this.#safety;
  }

  /** What the failsafe table saw last. */
  get latest(): Facts {
    return this.#latest;
  }

  /** Total torque of the latest command [N·m]. */
  get sentTorque(): number {
    return this.#torque[0] + this.#torque[1];
  }

  /** All that it remembers, as plain data; see `tape/snapshot.ts`. */
  remember() {
    return {
      safety: this.#safety,
      latest: this.#latest,
      torque: this.#torque,
      blend: this.#blend.remember(),
      facts: this.facts.remember(),
    };
  }

  recall(memory: ReturnType<RobotControl['remember']>): void {
    this.#safety = memory.safety;
    this.#latest = memory.latest;
    this.#torque = memory.torque;
    this.#blend.recall(memory.blend);
    this.facts.recall(memory.facts);
    // A snapshot is taken as a frame is answered: what comes next finds one that has just been seen.
    this.#seenAt = this.#parts.now();
  }

  // --- frames -------------------------------------------------------------------------------------------------------

  /** One frame: facts, failsafe table, then the command that answers it. */
  guard(decided: Decided): Guarded {
    this.#seenAt = this.#parts.now();
    const { robot, session } = this.#parts;
    const dt = decided.dtUs / 1e6;
    const ofTask = robotForTask(robot, decided.task);
    this.#supervise(this.facts.gather(decided, this.#safety), ofTask);
    const running = this.#safety.robotState === 'running';
    const blended = this.#blend.apply({ ...decided, previous: this.#torque, running, dt });
    const { command, limits } = guard(
      {
        robotState: this.#safety.robotState,
        request: blended.request,
        previous: this.#torque,
        dt,
        session: session.nonce,
        answers: decided.wireSequence,
      },
      ofTask,
    );
    this.#torque = command.wheelTorque;
    return {
      ...decided,
      command,
      robotState: this.#safety.robotState,
      limits: decided.requestLimits | blended.limits | limits,
      conditions: this.#safety.active,
    };
  }

  /** Port, session or silence changed; without frames nobody else would look at the failsafe table. */
  linkChanged(open: boolean): void {
    this.facts.linkOpen = open;
    if (open) this.#repeatStop();
    else this.#interrupted();
  }

  sessionChanged(): void {
    if (this.#parts.session.state !== 'accepted') this.#interrupted();
  }

  #interrupted(): void {
    this.#parts.journal?.({ order: 'interrupted' });
    this.#supervise(this.facts.refresh({ ...this.#latest, framesInARow: 0 }));
  }

  linkSilent(silent: boolean): void {
    this.facts.silent = silent;
    if (!silent) return;
    this.#parts.journal?.({ order: 'silent' });
    this.#supervise(this.facts.refresh(this.#latest));
  }

  /**
   * To be called every 50 ms. A stop, and the clearing of a latch, are repeated until the MCU says that it followed; by the
   * clock and not by its frames, since an MCU that another host drives, or a torn line, may give us none.
   */
  repeat(): void {
    if (!this.#clearing) this.#repeatStop();
    else if (this.#latest.mcuState !== 'idle') this.#parts.session.clearLatch(this.#clearing.latch);
  }

  #repeatStop(): void {
    const echoed = this.#parts.now() - this.#echoedAt < ECHO_FRESH;
    if (this.#safety.robotState === 'estopped' && !echoed) this.#parts.session.estop();
  }

  /** The MCU says that its torque is off. */
  #estopEchoed(): void {
    this.#echoedAt = this.#parts.now();
    // Somebody stopped it again while this host was clearing the stop before: that one wins.
    if (this.#clearing && this.#parts.session.latch !== this.#clearing.latch) void this.estop('motor controller');
  }

  /** The facts as the tape has them; see `RobotControlParts.facts`. */
  #seen(facts: Facts): Facts {
    return this.#parts.facts?.(facts) ?? facts;
  }

  #supervise(gathered: Facts, robot: Robot = this.#parts.robot): void {
    const { latch } = this.#parts;
    const facts = this.#seen(gathered);
    this.#latest = facts;
    const before = this.#safety;
    this.#safety = supervisor.superviseFrame(before, facts, robot);
    if (this.#safety.robotState === 'estopped' && !latch.latched) {
      // The MCU's own stop input acted, or the failsafe table: the stop is as good as anybody's.
      void this.estop(supervisor.reasons(this.#safety.active).join(', '));
    }
    this.#announce(before, this.#safety);
  }

  // --- orders -------------------------------------------------------------------------------------------------------

  /**
   * Stops: latched in memory and on the wire before this returns to the event loop, whatever the disk does.
   * @returns whether the latch is on the disk
   */
  async estop(source: string): Promise<boolean> {
    const { confirmation, latch, session, journal } = this.#parts;
    confirmation.stopped();
    this.#halts += 1;
    this.#orders += 1;
    // A stop in the middle of a reset is a new one: it must outlive the reset.
    const repeated = latch.latched && !this.#clearing;
    const before = this.#safety;
    this.#clearing = undefined;
    this.#safety = supervisor.estop(before);
    if (repeated) {
      this.#events.next({ event: 'estop-again', source });
      // A flood of stops costs neither ticks nor writes: `repeat` goes on until the MCU follows.
      return await latch.persisted();
    }
    latch.latch(source);
    // What was said of an earlier stop says nothing of this one.
    this.#echoedAt = Number.NEGATIVE_INFINITY;
    session.estop();
    journal?.({ order: 'estop', source });
    const persisted = latch.persisted();
    this.#events.next({ event: 'estop', source, stop: confirmation.stop });
    this.#announce(before, this.#safety);
    return await persisted;
  }

  /** Stopping the gentle way: torque off. Always allowed. */
  disarm(): void {
    this.#halts += 1;
    this.#orders += 1;
    const before = this.#safety;
    if (before.robotState === 'running') this.#parts.episodes.startEpisode();
    this.#parts.session.foreignHellos = 0;
    this.#parts.journal?.({ order: 'disarm' });
    this.#safety = supervisor.disarm(before);
    this.#announce(before, this.#safety);
  }

  /** What the arming checks say of a mode now. */
  checks(mode: ArmedMode) {
    const facts = this.#seen(this.facts.refresh(this.#latest));
    const robot = robotForTask(this.#parts.robot, mode.task);
    const checks = armingChecks(mode, this.#safety, facts, this.#controllerInfo(mode), robot);
    const frameAge = this.#parts.now() - this.#seenAt;
    return [
      ...checks,
      ...momentChecks({ frameAge, stopsHeld: this.facts.stopsHeld }, robot),
      // Who moves already must be able to go on to something calmer, however slow the machine has become.
      ...(this.#safety.robotState === 'running' ? [] : (this.delay?.checks() ?? [])),
    ];
  }

  /**
   * @param session of the operator's heartbeats
   * @returns why not, or `undefined` when the mode is in force
   */
  enterMode(mode: Mode, session: string | undefined): Refusal | undefined {
    if (mode.task === 'disarmed') {
      this.disarm();
      return undefined;
    }
    if (session === undefined && this.#parts.operator.wants(mode)) return NOBODY_WATCHES;
    const failed = this.checks(mode).filter((check) => !check.ok);
    if (failed.length > 0) return notArmed(failed);
    this.#orders += 1;
    const before = this.#safety;
    const { controllers, episodes, journal } = this.#parts;
    journal?.({ order: 'mode', mode, ...(session !== undefined && { session }) });
    controllers.begin(mode);
    const sameTask = before.robotState === 'running' && before.mode.task === mode.task;
    if (sameTask) episodes.startEpisode();
    else episodes.startTask(mode.task);
    this.#parts.operator.modeBegins(mode, session);
    this.facts.modeBegins(before.robotState === 'disarmed');
    this.#safety = supervisor.enterMode(before, mode);
    this.#announce(before, this.#safety);
    return undefined;
  }

  /**
   * The policy of this id is another one now, or there is none any more; `controllers` finds it already. A robot that runs it
   * goes on, blended, with the new one, and with the balancer, at rest, where there is none.
   */
  policyChanged(id: string): void {
    const { controllers, episodes, journal } = this.#parts;
    const policy = controllers.policy(id);
    journal?.({ order: 'policy', id, hash: policy ? hashText(policy.hash) : '' });
    if (controllers.policyChanged(id) && this.#safety.robotState === 'running') episodes.startEpisode();
  }

  /**
   * Undoes a stop: the MCU's latch first, then the disk's, then ours, so that whatever fails leaves the robot stopped.
   * The caller has checked who asks.
   * @param settled resolves when the MCU had time to follow
   */
  async reset(settled: () => Promise<void>): Promise<Refusal | undefined> {
    const { confirmation, latch, session } = this.#parts;
    // A latch of the motor controller alone (a fault, its watchdog) was nobody's stop.
    if (latch.latched && confirmation.state === 'wanted') return notConfirmed(latch.source);
    if (this.facts.stopsHeld.length > 0) return stillPressed(this.facts.stopsHeld);
    if (!this.facts.linkOpen || session.state !== 'accepted') return MCU_UNREACHABLE;
    // Two at once would take each other's stops for repeated ones.
    if (this.#clearing) return UNDER_WAY;
    const clearing = { latch: session.latch };
    this.#clearing = clearing;
    this.repeat();
    await settled();
    // A stop during the wait has ended this clearing and wins; one that was asked for after the stop is another.
    if (this.#clearing !== clearing) return OVERTAKEN;
    if (!this.mcuIsIdle) {
      this.#clearing = undefined;
      return mcuLatched(this.#latest.mcuState);
    }
    const released = await latch.release();
    // One that a stop has ended must not end the next one, which may be under way by now.
    if (this.#clearing === clearing) this.#clearing = undefined;
    if (!released) return latch.problem === '' ? OVERTAKEN : latchNotRemoved(latch.problem);
    const before = this.#safety;
    this.#parts.journal?.({ order: 'reset' });
    this.#safety = supervisor.reset(before);
    confirmation.used();
    session.foreignHellos = 0;
    this.#events.next({ event: 'reset' });
    this.#announce(before, this.#safety);
    return undefined;
  }

  /**
   * Control is told to end: a moving robot is braked, not dropped.
   * @param settled resolves when the MCU had time to follow
   */
  async shutDown(settled: () => Promise<void>): Promise<void> {
    this.facts.shuttingDown = true;
    if (this.#safety.robotState === 'running' && this.facts.linkOpen) await settled();
  }

  get mcuIsActive(): boolean {
    return this.#latest.mcuState === 'active';
  }

  /** The MCU itself has said so, in a frame of this session; what is only remembered does not count. */
  get mcuIsIdle(): boolean {
    return this.#latest.mcuState === 'idle' && this.#latest.framesInARow > 0;
  }

  #controllerInfo(mode: ArmedMode): ControllerInfo {
    const { controllers } = this.#parts;
    const rate = this.#latest.nominalRate;
    // The balancer is every policy's reserve: without one for this rate nothing may run.
    if (controllers.rate !== rate) return { kind: 'missing', reason: `no balancer for sensor frames at ${rate} Hz` };
    if (mode.controller === 'balancer') return { kind: 'balancer' };
    const policy = controllers.policy(mode.controller);
    // Asked at each start: a robot may be up for months.
    if (policy && !(Date.now() < policy.expires)) return { kind: 'missing', reason: `${mode.controller} has expired` };
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
