import { Subject } from 'rxjs';
import { Allowance } from '../../src/allowance.ts';
import { Controllers } from '../../src/control/controllers/controllers.ts';
import { FrameSource } from '../../src/control/decode.ts';
import { Estimator } from '../../src/control/estimate.ts';
import { OperatorWatch } from '../../src/control/facts/operator-watch.ts';
import { McuSession } from '../../src/control/mcu/mcu-session.ts';
import { EpisodeClock } from '../../src/control/observe.ts';
import { pipeline } from '../../src/control/pipeline.ts';
import { RobotControl } from '../../src/control/robot-control.ts';
import { CHECKS_PER_SECOND, requestHandler } from '../../src/control/socket/requests.ts';
import { RowOutbox } from '../../src/control/socket/row-outbox.ts';
import type { RequestHandler } from '../../src/control/socket/socket-server.ts';
import { EstopLatch } from '../../src/control/stopping/estop-latch.ts';
import { ResetConfirmation } from '../../src/control/stopping/reset-confirmation.ts';
import type { Chunk } from '../../src/control/tick.ts';
import { generateKeyPair } from '../../src/keys/key-pair.ts';
import { trustEntry, trustStoreOf } from '../../src/keys/trust-store.ts';
import type { Request } from '../../src/messages/requests.ts';
import type { Status } from '../../src/messages/status.ts';
import { FrameEncoder } from '../../src/protocol/frame.ts';
import type { Message } from '../../src/protocol/messages.gen.ts';
import { loadRobot } from '../../src/robot/robot.ts';
import type { Plant, PlantSample } from '../../src/simulation/plant.ts';
import { VirtualMcu } from '../../src/simulation/virtual-mcu.ts';
import { LATCH } from './virtual-disk.ts';

export const ROBOT = 'robot-1';
export const keys = { operator: generateKeyPair(), release: generateKeyPair(), stranger: generateKeyPair() };
const trust = trustStoreOf([
  trustEntry(keys.operator.publicKey, 'operator', 'Anna'),
  trustEntry(keys.release.publicKey, 'release', 'build'),
]);
const robot = loadRobot('wheel-legged');
/** Designing a balancer is slow; a mode that begins makes it as good as new. */
const controllers = new Controllers(robot, new Map(), () => 0n);

/** As in `Control` [ms]. */
const HELLO_INTERVAL = 500;
const REPEAT_INTERVAL = 50;
const SETTLE_POLL = 10;
const CLEAR_TIMEOUT = 3000;
/** Frames of the host that somebody on the line has kept. */
const KEPT = 200;

export type Answer = { readonly ok?: boolean; readonly refusal?: { readonly code: string } } & Record<string, unknown>;

/** Everything that has been promised by now is done. */
export const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** The robot is where the test puts it; its sensors tremble as real ones do. */
class Puppet implements Plant {
  lean = 0;
  #tick = 0;

  step(): void {}

  joints() {
    const { hipStance: hip, kneeStance: knee } = robot.legs;
    const legPosition = [hip, knee, hip, knee] as const;
    return { wheelVelocity: [0, 0] as const, legPosition, legVelocity: [0, 0, 0, 0] as const };
  }

  sample(): PlantSample {
    this.#tick += 1;
    const tremble = 0.001 * Math.sin(this.#tick);
    const pitch = this.lean + tremble;
    return {
      ...this.joints(),
      gyro: [tremble, -tremble, tremble],
      acceleration: [-9.81 * Math.sin(pitch), tremble, 9.81 * Math.cos(pitch)],
      attitude: [Math.cos(pitch / 2), 0, Math.sin(pitch / 2), 0],
      wheelPosition: [tremble, -tremble],
      wheelTorqueMeasured: [tremble, tremble],
      battery: 24,
      temperature: 35,
    };
  }

  truth() {
    return { x: 0, speed: 0, pitch: this.lean, tilt: Math.abs(this.lean), height: 0, fallen: false };
  }
}

/** One run of the control process, wired as `Control` wires it, with the process's clocks and port in the test's hand. */
function startControl(send: (bytes: Uint8Array) => boolean, now: () => number, drawNonce: () => number) {
  const nowNs = () => BigInt(Math.round(now() * 1e6));
  const latch = new EstopLatch(LATCH);
  latch.load();
  const session = new McuSession({ drawNonce, revision: 'test', nowMicros: () => now() * 1000, send });
  const operator = new OperatorWatch(1000);
  const episodes = new EpisodeClock();
  const refusedPolicies = new Map<string, string>();
  // Confirmed or not, the signature is what this model is about; reset-confirmation has a model of its own.
  const confirmation = new ResetConfirmation({ wanted: false, now });
  const control = new RobotControl({
    robot,
    session,
    controllers,
    episodes,
    latch,
    operator,
    confirmation,
    now,
    refusedPolicies,
  });
  session.state$.subscribe(() => control.sessionChanged());
  const source = new FrameSource(session);
  const chunks$ = new Subject<Chunk>();
  const subscription = pipeline(chunks$, {
    source,
    estimator: new Estimator(robot),
    episodes,
    controllers,
    control,
    actuator: { encoder: () => session.encoder, write: send, nowNs },
    actuated: () => {},
    rows: { robot, boot: 1n, wallOffsetNs: () => 0n },
  }).subscribe({
    error: (error: unknown) => {
      throw error;
    },
  });
  const waiting: Array<{ readonly since: number; readonly settle: () => void }> = [];
  const parts = {
    name: ROBOT,
    control,
    operator,
    outbox: new RowOutbox(),
    trust,
    counters: new Map<string, number>(),
    status: () => ({ name: ROBOT }) as Status,
    estopEcho$: session.estopEcho$,
    allowance: new Allowance(CHECKS_PER_SECOND, now),
    mcuSettled: () => new Promise<void>((settle) => waiting.push({ since: now(), settle })),
    audit: () => {},
    now,
  };
  return {
    control,
    session,
    latch,
    source,
    operator,
    /** two programs that talk to it */
    connections: [requestHandler(parts), requestHandler(parts)] as readonly RequestHandler[],
    push: (bytes: Uint8Array) => chunks$.next({ bytes, arrivedNs: nowNs() }),
    /** @returns whether somebody was waiting for this */
    poll(): boolean {
      const due = waiting.filter(({ since }) => control.mcuIsIdle || now() - since >= CLEAR_TIMEOUT);
      for (const one of due) {
        waiting.splice(waiting.indexOf(one), 1);
        one.settle();
      }
      return due.length > 0;
    },
    /** kill -9: nothing that it had begun goes on */
    kill(): void {
      subscription.unsubscribe();
      waiting.length = 0;
    },
  };
}

/** The motor controller, a line, and the control processes that come and go; all of it in virtual time. */
export class SafetySystem {
  readonly plant = new Puppet();
  readonly mcu: VirtualMcu;
  /** frames that some control has sent, as somebody on the line would keep them */
  readonly overheard: Uint8Array[] = [];
  control: ReturnType<typeof startControl>;
  /** runs of control so far */
  life = 1;
  plugged = true;
  now = 0;
  /** called whenever the motor controller becomes active */
  onActive: () => void = () => {};
  #nonce = 1000;
  #wasActive = false;
  #toHost: Uint8Array[] = [];
  #stranger = new FrameEncoder({ firstSequence: 30_000 });

  constructor() {
    this.mcu = new VirtualMcu({
      robot,
      plant: this.plant,
      send: (bytes) => void (this.plugged && this.#toHost.push(bytes)),
    });
    this.mcu.boot();
    this.control = this.#start();
    this.#opened();
  }

  async pass(milliseconds: number): Promise<void> {
    for (const end = this.now + milliseconds; this.now < end; ) {
      this.now += 1;
      this.mcu.advance(1000);
      this.#deliver();
      if (this.now % HELLO_INTERVAL === 0) this.control.session.hello();
      if (this.now % REPEAT_INTERVAL === 0) this.control.control.repeat();
      if (this.now % SETTLE_POLL === 0 && this.control.poll()) await turn();
    }
  }

  /** A request on a connection; its answers, as far as they have come. */
  async ask(connection: number, request: Request): Promise<Answer[]> {
    const answers: Answer[] = [];
    this.control.connections[connection]?.handle(request, (answer) => void answers.push(answer));
    await turn();
    return answers;
  }

  /** Bytes on the line from somebody who is not control. */
  inject(bytes: Uint8Array): void {
    this.mcu.receive(bytes);
    this.#look();
    this.#deliver();
  }

  /** A frame of somebody who is not control. */
  forge(message: Message): void {
    this.inject(this.#stranger.encode(message, 0));
  }

  unplug(): void {
    if (!this.plugged) return;
    this.plugged = false;
    this.#toHost = [];
    this.control.session.closed();
    this.control.control.linkChanged(false);
  }

  replug(): void {
    if (this.plugged) return;
    this.plugged = true;
    this.#opened();
  }

  /** kill -9 of control, and a new one. @param dead called in between */
  async restart(dead: () => void): Promise<void> {
    this.control.kill();
    await turn();
    dead();
    this.life += 1;
    this.#toHost = [];
    this.control = this.#start();
    if (this.plugged) this.#opened();
  }

  #start() {
    return startControl(
      (bytes) => this.#fromHost(bytes),
      () => this.now,
      () => ++this.#nonce,
    );
  }

  #opened(): void {
    this.control.source.reset();
    this.control.session.opened();
    this.control.control.linkChanged(true);
    this.#deliver();
  }

  #fromHost(bytes: Uint8Array): boolean {
    if (!this.plugged) return false;
    this.overheard.push(bytes);
    if (this.overheard.length > KEPT) this.overheard.shift();
    this.mcu.receive(bytes);
    this.#look();
    return true;
  }

  #deliver(): void {
    for (let bytes = this.#toHost.shift(); bytes; bytes = this.#toHost.shift()) this.control.push(bytes);
    this.#look();
  }

  #look(): void {
    const active = this.mcu.state === 'active';
    if (active && !this.#wasActive) this.onActive();
    this.#wasActive = active;
  }
}
