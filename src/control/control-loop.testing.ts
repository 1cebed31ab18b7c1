import { Subject } from 'rxjs';
import type { ArmedMode, Mode } from '../messages/mode.ts';
import type { Row } from '../messages/row.ts';
import type { Hello } from '../protocol/messages.gen.ts';
import { loadRobot } from '../robot/robot.ts';
import { Controllers } from './controllers/controllers.ts';
import type { PolicyRunner } from './controllers/policy-runner.ts';
import { FrameSource } from './decode.ts';
import { Estimator } from './estimate.ts';
import { OperatorWatch } from './facts/operator-watch.ts';
import { accept, type McuWire, mcuHello, tappedSession } from './frames.testing.ts';
import { EpisodeClock } from './observe.ts';
import { pipeline } from './pipeline.ts';
import { RobotControl } from './robot-control.ts';
import { EstopLatch } from './stopping/estop-latch.ts';
import { ResetConfirmation } from './stopping/reset-confirmation.ts';
import type { Actuated, Chunk } from './tick.ts';

const robot = loadRobot('wheel-legged');
/** The host's clock [ns]; only a test moves it. */
export const clock = {
  now: 0n,
  /** what somebody has set the wall clock forward by [ms] */
  wallOffset: 0,
};
/** What the controllers find when a mode begins; shared by all loops of a test file. */
export const policies = new Map<string, PolicyRunner>();
let controllers: Controllers | undefined;

const standing: ArmedMode = { task: 'standing-still', controller: 'balancer' };

/**
 * The whole loop from bytes to bytes, wired as `Control` does it. Its port is a tap; its MCU is what a test sends, and has
 * accepted the host with this greeting.
 */
export function controlLoop(greeting: Partial<Hello> = {}) {
  const { session, tap } = tappedSession();
  // Designing a balancer is slow; a mode that begins makes it as good as new.
  controllers ??= new Controllers(robot, policies, () => clock.now);
  const episodes = new EpisodeClock();
  const operator = new OperatorWatch(1000);
  const control = new RobotControl({
    robot,
    session,
    controllers,
    episodes,
    latch: new EstopLatch('/dev/null/estop'),
    operator,
    confirmation: new ResetConfirmation({ wanted: false, now: () => Number(clock.now) / 1e6 }),
    now: () => Number(clock.now) / 1e6,
    refusedPolicies: new Map(),
    wall: () => Number(clock.now) / 1e6 + clock.wallOffset,
  });
  session.state$.subscribe(() => control.sessionChanged());
  session.opened();
  control.linkChanged(true);
  accept(session, greeting);
  const source = new FrameSource(session);
  control.facts.line = source.decoder.counters;
  const chunks$ = new Subject<Chunk>();
  const ticks: Actuated[] = [];
  const rows: Row[] = [];
  const stages = {
    source,
    estimator: new Estimator(robot),
    episodes,
    controllers,
    control,
    actuator: { encoder: () => session.encoder, write: tap.write, nowNs: () => clock.now },
    actuated: (tick: Actuated) => void ticks.push(tick),
    rows: { robot, boot: 1n, wallOffsetNs: () => 0n },
  };
  const push = (bytes: Uint8Array) => chunks$.next({ bytes, arrivedNs: clock.now });
  const subscription = pipeline(chunks$, stages).subscribe({
    next: (row) => rows.push(row),
    error: (error: unknown) => {
      throw error;
    },
  });
  return {
    session,
    tap,
    control,
    operator,
    stages,
    ticks,
    rows,
    push,
    /** Asks for a mode, as an operator who watches. */
    enter: (mode: Mode = standing) => control.enterMode(mode, 'watching'),
    /** The MCU has started anew, is greeted, and obeys. */
    restartMcu(wire: McuWire, nonce: number): void {
      push(wire.send(mcuHello({ nonce, peerNonce: 0 })));
      push(wire.send(mcuHello({ nonce, peerNonce: session.nonce })));
    },
    subscription,
    get answers(): number[] {
      return tap.all('command').map((command) => command.answers);
    },
  };
}
