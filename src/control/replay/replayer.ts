import { Subject, type Subscription } from 'rxjs';
import type { Row } from '../../messages/row.ts';
import {
  payloadOf,
  sensorsOf,
  type TapedAnswer,
  type TapedFrame,
  type TapedOrder,
  type TapedRun,
  type TapedValue,
  type TapeRecord,
} from '../../messages/tape.ts';
import type { Robot } from '../../robot/robot.ts';
import type { Facts } from '../../safety/facts.ts';
import { Controllers } from '../controllers/controllers.ts';
import type { PolicyRunner } from '../controllers/policy-runner.ts';
import { Estimator } from '../estimate.ts';
import { OperatorWatch } from '../facts/operator-watch.ts';
import { EpisodeClock } from '../observe.ts';
import { pipeline } from '../pipeline.ts';
import { RobotControl } from '../robot-control.ts';
import { ResetConfirmation } from '../stopping/reset-confirmation.ts';
import { recallLoop, type Snapshot } from '../tape/snapshot.ts';
import type { Actuated, Chunk, Sensed } from '../tick.ts';
import { GatedPolicy, TapedLatch, TapedSession } from './stand-ins.ts';

export interface ReplayerOptions {
  readonly run: TapedRun;
  readonly boot: bigint;
  readonly robot: Robot;
  readonly policies: ReadonlyMap<string, PolicyRunner>;
  /** a policy that takes the place of another under way; sha256 as a tape has it */
  readonly policyOf?: ((id: string, hash: string) => PolicyRunner | undefined) | undefined;
  /** where it begins; without one, at the beginning of the run */
  readonly from?: Snapshot | undefined;
  /** one frame's command was computed again; `answer` is what the robot sent then, `undefined` if the tape does not say */
  readonly onCommand: (tick: Actuated, command: Uint8Array, answer: TapedAnswer | undefined) => void;
  /** a row was computed again; only its wall clock is not on the tape, and is 0 */
  readonly onRow: (row: Row) => void;
  /** an order took effect then and does not now */
  readonly onRefused: (order: TapedOrder, why: string) => void;
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/**
 * Runs the control loop again from a tape: the same pipeline, controllers, supervisor and guard as on the robot. The frames
 * come from the tape, and so does whatever the loop cannot know from them: facts from outside, orders, and how long things took.
 */
export class Replayer {
  readonly #options: ReplayerOptions;
  readonly #session = new TapedSession();
  readonly #latch: TapedLatch;
  readonly #controllers: Controllers;
  readonly #control: RobotControl;
  readonly #gated = new Map<string, PolicyRunner>();
  readonly #chunks$ = new Subject<Chunk>();
  readonly #subscription: Subscription;
  /** records that are read and not yet used: a frame's facts and answer stand behind it */
  #ahead: TapeRecord[] = [];
  #outside: Record<string, TapedValue> = {};
  /** what is told of the frame that is being worked on is still ahead */
  #peeking = false;
  #frames: readonly TapedFrame[] = [];
  #answer: TapedAnswer | undefined;
  /** of the frames that are not answered yet [ns] */
  readonly #arrivals: bigint[] = [];
  /** what the clock shows once a command has gone out [ns] */
  #now = 0n;
  #inFlight = 0;
  #openGate: (() => void) | undefined;
  #gateIsOpen = false;
  #actuated: () => void = () => {};
  /** answered here before the tape has said how the robot answered */
  readonly #early: Array<{ tick: Actuated; command: Uint8Array }> = [];

  constructor(options: ReplayerOptions) {
    this.#options = options;
    const { robot, run, policies, boot, from } = options;
    this.#latch = new TapedLatch(from ? from.outside.estopLatched === true : run.latched);
    for (const [id, policy] of policies) this.#gated.set(id, new GatedPolicy(policy, () => this.#newGate()));
    // Read before a policy runs, and after.
    const policyClock = () => (this.#gateIsOpen ? BigInt(this.#answer?.policyNs ?? 0) : 0n);
    this.#controllers = new Controllers(robot, this.#gated, policyClock);
    const episodes = new EpisodeClock();
    this.#control = new RobotControl({
      robot,
      session: this.#session,
      controllers: this.#controllers,
      episodes,
      latch: this.#latch,
      // Whether somebody watched is on the tape.
      operator: new OperatorWatch(0),
      // So is every reset that was let through.
      confirmation: new ResetConfirmation({ wanted: false, now: () => 0 }),
      now: () => 0,
      facts: (facts) => this.#facts(facts),
      refusedPolicies: new Map(),
    });
    this.#control.facts.linkOpen = true;
    const estimator = new Estimator(robot);
    if (from) {
      recallLoop({ estimator, episodes, controllers: this.#controllers, control: this.#control }, from.memory);
      this.#remember(from.outside);
    }
    this.#subscription = pipeline(this.#chunks$, {
      source: { sense: () => this.#sensed() },
      estimator,
      episodes,
      controllers: this.#controllers,
      control: this.#control,
      actuator: {
        encoder: () => this.#session.encoder,
        write: () => {
          this.#answer = this.#nextAnswer();
          const arrivedNs = this.#arrivals.shift() ?? 0n;
          this.#now = arrivedNs + BigInt(this.#answer?.latencyNs ?? 0);
          return this.#answer?.written ?? false;
        },
        nowNs: () => this.#now,
      },
      actuated: (tick) => this.#compare(tick),
      rows: { robot, boot, wallOffsetNs: () => 0n },
    }).subscribe({
      next: (row) => options.onRow({ ...row, wallNs: 0n }),
      error: (error: unknown) => {
        throw error;
      },
    });
  }

  /** Takes the next records of the tape; all but the last few are worked on at once. */
  async feed(records: readonly TapeRecord[]): Promise<void> {
    // What stands behind a frame may be in the next block: one block always stays ahead.
    const least = records.length;
    this.#ahead = this.#ahead.concat(records);
    while (this.#ahead.length > least) await this.#step();
  }

  /** Works on what is left, and ends. */
  async end(): Promise<void> {
    while (this.#ahead.length > 0) await this.#step();
    this.#openGate?.();
    await turn();
    this.#subscription.unsubscribe();
  }

  async #step(): Promise<void> {
    const record = this.#ahead.shift();
    if (record === undefined) return;
    switch (record.is) {
      case 'chunk':
        this.#frames = record.frames;
        this.#inFlight += record.frames.length;
        this.#peeking = true;
        this.#chunks$.next({ bytes: new Uint8Array(), arrivedNs: record.frames[0]?.arrivedNs ?? 0n });
        this.#peeking = false;
        break;
      case 'facts':
        this.#remember(record.facts);
        break;
      case 'order':
        await this.#obey(record.order);
        break;
      case 'answer':
        await this.#answered(record.answer);
        break;
      case 'run':
      case 'state':
        break;
    }
  }

  #sensed(): Sensed[] {
    this.#arrivals.push(...this.#frames.map(({ arrivedNs }) => arrivedNs));
    return this.#frames.map(({ payload, sequence, ...frame }) => ({
      ...frame,
      sequence,
      wireSequence: sequence & 0xffff,
      sensors: sensorsOf(payload),
    }));
  }

  async #obey(order: TapedOrder): Promise<void> {
    const control = this.#control;
    switch (order.order) {
      case 'estop':
        void control.estop(order.source);
        break;
      case 'disarm':
        control.disarm();
        break;
      case 'mode': {
        const refusal = control.enterMode(order.mode, order.session);
        if (refusal) this.#options.onRefused(order, refusal.message);
        break;
      }
      case 'reset': {
        const refusal = await control.reset(async () => {});
        if (refusal) this.#options.onRefused(order, refusal.message);
        break;
      }
      case 'prepare':
        this.#controllers.prepare(order.sensorRate);
        break;
      case 'policy': {
        const policy = order.hash === '' ? undefined : this.#options.policyOf?.(order.id, order.hash);
        if (policy) this.#gated.set(order.id, new GatedPolicy(policy, () => this.#newGate()));
        else this.#gated.delete(order.id);
        control.policyChanged(order.id);
        break;
      }
      case 'interrupted':
        this.#peeking = true;
        control.linkChanged(false);
        this.#peeking = false;
        control.facts.linkOpen = true;
        break;
      case 'silent':
        this.#peeking = true;
        control.linkSilent(true);
        this.#peeking = false;
        break;
    }
  }

  /** The robot had answered a frame by now; here it may still wait for its policy. */
  async #answered(answer: TapedAnswer): Promise<void> {
    const early = this.#early.shift();
    if (early) {
      this.#options.onCommand(early.tick, early.command, answer);
      return;
    }
    if (this.#inFlight === 0) return;
    const actuated = new Promise<void>((resolve) => {
      this.#actuated = resolve;
    });
    this.#answer = answer;
    this.#gateIsOpen = true;
    this.#openGate?.();
    await actuated;
    // What follows in the same turn, such as the answer to a frame that had to wait for this one, is done.
    await turn();
    this.#peeking = false;
  }

  #newGate(): Promise<void> {
    this.#gateIsOpen = false;
    return new Promise((resolve) => {
      this.#openGate = resolve;
    });
  }

  /** The answer to the frame that is about to be answered: given already, or next on the tape. */
  #nextAnswer(): TapedAnswer | undefined {
    if (this.#gateIsOpen) return this.#answer;
    const [next] = this.#ahead;
    if (!this.#peeking || next?.is !== 'answer') return undefined;
    this.#ahead.shift();
    return next.answer;
  }

  #compare(tick: Actuated): void {
    const command = payloadOf(tick.command).slice();
    this.#inFlight -= 1;
    if (this.#answer) this.#options.onCommand(tick, command, this.#answer);
    else this.#early.push({ tick, command });
    this.#answer = undefined;
    // Frames that had waited for this one are answered in the same turn, and what is told of them is still ahead.
    this.#peeking ||= this.#gateIsOpen;
    this.#gateIsOpen = false;
    this.#openGate = undefined;
    this.#actuated();
    this.#actuated = () => {};
  }

  /** The facts as the robot saw them. */
  #facts(facts: Facts): Facts {
    while (this.#peeking && this.#ahead[0]?.is === 'facts') {
      this.#remember(this.#ahead[0].facts);
      this.#ahead.shift();
    }
    return { ...facts, ...this.#outside } as Facts;
  }

  #remember({ nonce, ...facts }: Readonly<Record<string, TapedValue>>): void {
    if (typeof nonce === 'number') this.#session.nonce = nonce;
    Object.assign(this.#outside, facts);
  }
}
