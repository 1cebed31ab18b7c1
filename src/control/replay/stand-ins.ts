import type { BodyReadings } from '../../policy/observation.ts';
import { PROTOCOL_VERSION, SCHEMA_HASH } from '../../protocol/messages.gen.ts';
import type { TaskState } from '../../robot/tasks/task.ts';
import type { PolicyMemory, PolicyRunner } from '../controllers/policy-runner.ts';
import { McuSession } from '../mcu/mcu-session.ts';
import type { StopLatch } from '../stopping/estop-latch.ts';

/** A session with a motor controller that has obeyed from the beginning; what became of it is on the tape. */
export class TapedSession extends McuSession {
  constructor() {
    super({ drawNonce: () => 1, revision: '', nowMicros: () => 0, send: () => true });
    this.opened();
    this.receive({
      kind: 'hello',
      sequence: 0,
      time: 0,
      lost: 0,
      message: {
        kind: 'hello',
        protocolVersion: PROTOCOL_VERSION,
        schemaHash: SCHEMA_HASH,
        nonce: 1,
        peerNonce: this.nonce,
        sensorRate: 0,
        watchdog: 0,
        latch: 0,
        latchCause: 'none',
        name: '',
        revision: '',
      },
    });
  }

  override greetAnew(): void {}
}

/** A latch without a disk; whether the real one was on it is on the tape. */
export class TapedLatch implements StopLatch {
  latched: boolean;
  notPersisted = false;
  unwritable = false;
  problem = '';
  source = '';

  constructor(latched: boolean) {
    this.latched = latched;
  }

  latch(source: string): void {
    this.latched = true;
    this.source = source;
  }

  async persisted(): Promise<boolean> {
    return true;
  }

  async release(): Promise<boolean> {
    this.latched = false;
    return true;
  }
}

/** A policy whose answer takes effect when the tape says so, however long it computes here. */
export class GatedPolicy implements PolicyRunner {
  readonly #policy: PolicyRunner;
  readonly #gate: () => Promise<void>;

  constructor(policy: PolicyRunner, gate: () => Promise<void>) {
    this.#policy = policy;
    this.#gate = gate;
  }

  get id() {
    return this.#policy.id;
  }

  get task() {
    return this.#policy.task;
  }

  get rate() {
    return this.#policy.rate;
  }

  get hash() {
    return this.#policy.hash;
  }

  get torqueScale() {
    return this.#policy.torqueScale;
  }

  get observation() {
    return this.#policy.observation;
  }

  get outOfRange() {
    return this.#policy.outOfRange;
  }

  /** That it had not expired when it was started is on the tape. */
  readonly expires = Number.POSITIVE_INFINITY;

  reset(): void {
    this.#policy.reset();
  }

  remember(): PolicyMemory {
    return this.#policy.remember();
  }

  recall(memory: PolicyMemory): void {
    this.#policy.recall(memory);
  }

  get joints() {
    return this.#policy.joints;
  }

  async decide(state: TaskState, sentTorque: number, body?: BodyReadings): Promise<number> {
    const gate = this.#gate();
    const action = await this.#policy.decide(state, sentTorque, body).catch(() => Number.NaN);
    await gate;
    return action;
  }
}
