import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ArmedMode, Mode } from '../messages/mode.ts';
import type { Hello, Sensors } from '../protocol/messages.gen.ts';
import { loadRobot } from '../robot/robot.ts';
import { Controllers } from './controllers/controllers.ts';
import { OperatorWatch } from './facts/operator-watch.ts';
import { accept, frameOf, sensors, tappedSession } from './frames.testing.ts';
import { EpisodeClock } from './observe.ts';
import { type ControlEvent, RobotControl } from './robot-control.ts';
import { EstopLatch } from './stopping/estop-latch.ts';
import { ResetConfirmation } from './stopping/reset-confirmation.ts';
import type { Guarded } from './tick.ts';
import { decided } from './ticks.testing.ts';

const robot = loadRobot('wheel-legged');
let sharedControllers: Controllers | undefined;

/** As `Control` calls `repeat` [ms]. */
const REPEAT_INTERVAL = 50;

export const standing: ArmedMode = { task: 'standing-still', controller: 'balancer' };

export interface RigOptions {
  readonly latch?: EstopLatch;
  readonly controllers?: Controllers;
  readonly refusedPolicies?: ReadonlyMap<string, string>;
  /** a reset of a stop wants local confirmation */
  readonly confirmed?: boolean;
}

export type RobotControlRig = ReturnType<typeof robotControlRig>;

/** `RobotControl` with an MCU at the other end that only a test moves. Its latch is in memory unless one is given. */
export function robotControlRig({
  latch = new EstopLatch('/dev/null/estop'),
  controllers,
  refusedPolicies = new Map(),
  confirmed = false,
}: RigOptions = {}) {
  const { session, tap } = tappedSession();
  // Designing a balancer is slow; a mode that begins makes it as good as new.
  sharedControllers ??= new Controllers(robot, new Map(), () => 0n);
  const episodes = new EpisodeClock();
  const used = controllers ?? sharedControllers;
  const operator = new OperatorWatch(1000);
  let now = 0;
  const confirmation = new ResetConfirmation({ wanted: confirmed, now: () => now });
  const control = new RobotControl({
    robot,
    session,
    controllers: used,
    episodes,
    latch,
    operator,
    confirmation,
    now: () => now,
    refusedPolicies,
  });
  session.state$.subscribe(() => control.sessionChanged());
  const events: ControlEvent[] = [];
  control.events$.subscribe((event) => events.push(event));
  let sequence = 0;

  /** Time passes [ms], and the timer of `repeat` with it. */
  const pass = (milliseconds: number): void => {
    for (const end = now + milliseconds; now < end; ) {
      now += 1;
      if (now % REPEAT_INTERVAL === 0) control.repeat();
    }
  };

  /** One sensor frame of an upright robot 5 ms after the one before, but for what is given. */
  const frame = (over: Partial<Sensors> = {}, tick: Parameters<typeof decided>[0] = {}): Guarded => {
    sequence += 1;
    pass(5);
    return control.guard(
      decided({
        sequence,
        wireSequence: sequence & 0xffff,
        mcuTimeUs: 5000 * sequence,
        sensors: sensors(over),
        ...tick,
      }),
    );
  };
  const frames = (count: number, over: Partial<Sensors> = {}): Guarded[] =>
    Array.from({ length: count }, () => frame(over));

  return {
    robot,
    session,
    tap,
    controllers: used,
    episodes,
    latch,
    control,
    events,
    operator,
    confirmation,
    frame,
    frames,
    pass,
    /** Asks for a mode, as an operator who watches. */
    enter: (mode: Mode = standing) => control.enterMode(mode, 'watching'),
    /** The port is open, the MCU has accepted this host, and a frame has come. */
    settle(over: Partial<Hello> = {}): void {
      session.opened();
      control.linkChanged(true);
      accept(session, over);
      frame();
    },
    /** `settle`, then running under the balancer. */
    run(mode: ArmedMode = standing): void {
      this.settle();
      const refusal = control.enterMode(mode, 'watching');
      if (refusal) throw new Error(refusal.message);
      frame({ state: 'active' });
    },
    /** The MCU says that it is e-stopped, by its latch of this number. */
    echo(number: number): void {
      session.receive(frameOf({ kind: 'estopEcho', latch: number, latchedAt: 0, estopSequence: 0 }));
    },
  };
}

/** A latch in a folder of its own, and what removes the folder. */
export function latchOnDisk(): { latch: EstopLatch; path: string; folder: string; remove: () => Promise<void> } {
  const folder = mkdtempSync(join(tmpdir(), 'h2o-control-'));
  const path = join(folder, 'state', 'estop');
  const latch = new EstopLatch(path);
  latch.load();
  const remove = async () => {
    if (latch.latched) await latch.persisted();
    rmSync(folder, { recursive: true });
  };
  return { latch, path, folder, remove };
}
