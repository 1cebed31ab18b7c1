import { Subject } from 'rxjs';
import type { ArmedMode } from '../../messages/mode.ts';
import { encodeRow } from '../../messages/row.ts';
import { decodeTapeBlock, type TapeBlock } from '../../messages/tape-block.ts';
import { loadRobot } from '../../robot/robot.ts';
import type { TaskState } from '../../robot/tasks/task.ts';
import { Controllers } from '../controllers/controllers.ts';
import type { PolicyRunner } from '../controllers/policy-runner.ts';
import { FrameSource } from '../decode.ts';
import { Estimator } from '../estimate.ts';
import { OperatorWatch } from '../facts/operator-watch.ts';
import { accept, HostTap } from '../frames.testing.ts';
import { McuSession } from '../mcu/mcu-session.ts';
import { EpisodeClock } from '../observe.ts';
import { pipeline } from '../pipeline.ts';
import { RobotControl } from '../robot-control.ts';
import { ResetConfirmation } from '../stopping/reset-confirmation.ts';
import { describeRun } from '../tape/describe-run.ts';
import { rememberLoop } from '../tape/snapshot.ts';
import { TapeWriter } from '../tape/tape-writer.ts';
import type { Actuated, Chunk } from '../tick.ts';
import { TapedLatch } from './stand-ins.ts';

export const robot = loadRobot('wheel-legged');
export const BOOT = 7n;

/** A policy with a memory of its own, whose every answer takes as long as a test lets it. */
export class SlowPolicy implements PolicyRunner {
  readonly task = 'standing-still';
  readonly rate = 200;
  readonly expires = Number.POSITIVE_INFINITY;
  readonly torqueScale = 3;
  readonly outOfRange = false;
  readonly id: string;
  readonly hash: bigint;
  observation: number[] = [];
  /** resolves when an answer may be given */
  wait: () => Promise<void> = async () => {};
  readonly #gain: number;
  #memory = 0;

  constructor(id: string, hash: bigint, gain = 1) {
    this.id = id;
    this.hash = hash;
    this.#gain = gain;
  }

  reset(): void {
    this.#memory = 0;
  }

  remember() {
    return { vector: [this.#memory, ...this.observation], outOfRange: false };
  }

  recall({ vector: [memory = 0, ...observation] }: ReturnType<SlowPolicy['remember']>): void {
    this.#memory = memory;
    this.observation = observation;
  }

  async decide({ x, v, pitch, pitchRate }: TaskState, sentTorque: number): Promise<number> {
    this.#memory = 0.9 * this.#memory + v;
    this.observation = [x, v, pitch, pitchRate, sentTorque].map(Math.fround);
    const action = this.#gain * (0.1 * x + 0.3 * this.#memory + 4 * pitch + 0.4 * pitchRate + 0.01 * sentTorque);
    await this.wait();
    // A model that stumbles now and then.
    return Math.abs(pitch) > 0.4 ? Number.NaN : action;
  }
}

export interface TapedLoopOptions {
  readonly latched?: boolean;
  readonly snapshotFrames?: number;
  readonly revision?: string;
  /** where its bytes go; without it, a motor controller has accepted it from the beginning */
  readonly toMcu?: (bytes: Uint8Array) => void;
}

/** The control loop as `Control` wires it, with its tape; its port is a tap, its disk a memory, its clock a test's. */
export function tapedLoop(policies: ReadonlyMap<string, PolicyRunner>, options: TapedLoopOptions = {}) {
  const { latched = false, snapshotFrames = 1000, revision = 'test', toMcu } = options;
  const tap = new HostTap();
  let nonce = 1000;
  const write = (bytes: Uint8Array) => {
    toMcu?.(bytes);
    return tap.write(bytes);
  };
  const session = new McuSession({ drawNonce: () => ++nonce, revision, nowMicros: () => 0, send: write });
  const clock = { now: 1_000_000_000_000n };
  const nowNs = () => clock.now;
  const blocks: TapeBlock[] = [];
  const latch = new TapedLatch(latched);
  const tape = new TapeWriter({
    boot: BOOT,
    run: describeRun(revision, robot, policies, latched),
    wallNs: () => 1n,
    snapshotFrames,
    push: (bytes) => {
      const block = decodeTapeBlock(bytes);
      if (!block) throw new Error('a block that cannot be read');
      blocks.push(block);
    },
  });
  const controllers = new Controllers(robot, policies, tape.policyClock(nowNs));
  const episodes = new EpisodeClock();
  const operator = new OperatorWatch(1000);
  const control = new RobotControl({
    robot,
    session,
    controllers,
    episodes,
    latch,
    operator,
    confirmation: new ResetConfirmation({ wanted: false, now: () => Number(clock.now) / 1e6 }),
    now: () => Number(clock.now) / 1e6,
    facts: tape.facts,
    journal: tape.order,
    refusedPolicies: new Map(),
  });
  session.state$.subscribe(() => control.sessionChanged());
  session.accepted$.subscribe(({ sensorRate }) => {
    if (sensorRate !== controllers.rate) tape.order({ order: 'prepare', sensorRate });
    controllers.prepare(sensorRate);
  });
  const source = new FrameSource(session);
  control.facts.line = source.decoder.counters;
  const open = () => {
    source.reset();
    session.opened();
    control.linkChanged(true);
    if (!toMcu) accept(session);
  };
  open();
  const chunks$ = new Subject<Chunk>();
  const rows: Uint8Array[] = [];
  const ticks: Actuated[] = [];
  let sensed = 0;
  const estimator = new Estimator(robot);
  pipeline(chunks$, {
    source: {
      sense: (chunk) => {
        const frames = tape.chunk(source.sense(chunk));
        sensed += frames.length;
        return frames;
      },
    },
    estimator,
    episodes,
    controllers,
    control,
    actuator: {
      encoder: () => session.encoder,
      write: (bytes) => {
        // Every command takes some time.
        clock.now += 123_456n;
        return write(bytes);
      },
      nowNs,
    },
    actuated: (tick) => {
      tape.answer(tick);
      ticks.push(tick);
      control.facts.overruns.add(tick.latencyUs, 5000, tick.superseded);
      if (tape.wantsMemory) tape.memory(rememberLoop({ estimator, episodes, controllers, control }));
    },
    rows: { robot, boot: BOOT, wallOffsetNs: () => 5n },
  }).subscribe({
    next: (row) => rows.push(encodeRow(row)),
    error: (error: unknown) => {
      throw error;
    },
  });
  return {
    tap,
    tape,
    clock,
    control,
    session,
    controllers,
    latch,
    blocks,
    rows,
    ticks,
    operator,
    push: (bytes: Uint8Array) => chunks$.next({ bytes, arrivedNs: clock.now }),
    /** frames on their way through the loop */
    open: () => sensed - ticks.length,
    enter: (mode: ArmedMode) => control.enterMode(mode, 'watching'),
    unplug: () => {
      session.closed();
      control.linkChanged(false);
    },
    plug: open,
  };
}
