import { BehaviorSubject, firstValueFrom, Subject } from 'rxjs';
import type { Frame } from '../../protocol/frame.ts';
import { FrameEncoder } from '../../protocol/frame.ts';
import type { Hello, LatchCause, Message } from '../../protocol/messages.gen.ts';
import { faultNames, PROTOCOL_VERSION, SCHEMA_HASH } from '../../protocol/messages.gen.ts';
import type { SessionState } from '../../safety/facts.ts';

export interface McuSessionOptions {
  /** random u32, never 0; drawn anew for each opening of the port */
  readonly drawNonce: () => number;
  readonly revision: string;
  /** [µs] host clock for the header of what is sent */
  readonly nowMicros: () => number;
  readonly send: (bytes: Uint8Array) => boolean;
}

/** The host's side of PROTOCOL.md's session: `hello`, latches, and the frames that are not part of the control loop. */
export class McuSession {
  /** told of each change of `state` */
  readonly state$ = new BehaviorSubject<SessionState>('waiting');
  /** the MCU's latest `hello` */
  peer: Hello | undefined;
  nonce = 0;
  /** `hello` answers that nobody here asked for: another host is on the port */
  foreignHellos = 0;
  latch = 0;
  latchCause: LatchCause = 'none';
  /** the MCU obeys this host */
  readonly accepted$ = new Subject<Hello>();
  /** the MCU says that torque is off */
  readonly estopEcho$ = new Subject<void>();
  /** times that the MCU was found to have started anew while the port was open */
  restarts = 0;
  readonly #options: McuSessionOptions;
  #nextEcho: Promise<void> | undefined;
  #encoder = new FrameEncoder();
  #unanswered = 0;

  /** The next word of the MCU that torque is off; many may wait for the same one. */
  get nextEstopEcho(): Promise<void> {
    this.#nextEcho ??= firstValueFrom(this.estopEcho$).finally(() => {
      this.#nextEcho = undefined;
    });
    return this.#nextEcho;
  }

  constructor(options: McuSessionOptions) {
    this.#options = options;
  }

  get state(): SessionState {
    return this.state$.value;
  }

  #enter(state: SessionState): void {
    if (state !== this.state) this.state$.next(state);
  }

  /** The port was opened: nothing that was known of the other end holds any more. */
  opened(): void {
    this.nonce = this.#options.drawNonce();
    this.#enter('waiting');
    this.foreignHellos = 0;
    this.peer = undefined;
    this.#encoder = new FrameEncoder();
    this.#unanswered = 0;
    this.hello();
  }

  closed(): void {
    this.#enter('waiting');
  }

  /** The MCU does not hear this host although it once obeyed it: it is greeted until it answers again. */
  greetAnew(): void {
    if (this.state !== 'accepted') return;
    this.#enter('waiting');
    this.hello();
  }

  /** PROTOCOL.md: the host repeats `hello` until it is answered. Call every half second. */
  hello(): void {
    if (this.state === 'accepted') {
      // A greeting that got lost must not excuse a stranger's for ever.
      this.#unanswered = 0;
      return;
    }
    this.#unanswered += 1;
    this.send({
      kind: 'hello',
      protocolVersion: PROTOCOL_VERSION,
      schemaHash: SCHEMA_HASH,
      nonce: this.nonce,
      peerNonce: this.peer?.nonce ?? 0,
      sensorRate: 0,
      watchdog: 0,
      latch: 0,
      latchCause: 'none',
      name: 'h2o-edge',
      revision: this.#options.revision,
    });
  }

  /** Sends anything but commands, which only `actuate` sends. */
  send(message: Exclude<Message, { kind: 'command' }>): boolean {
    return this.#options.send(this.#encoder.encode(message, this.#options.nowMicros()));
  }

  /** The encoder shared with `actuate`, so that the sequence of commands is one. */
  get encoder(): FrameEncoder {
    return this.#encoder;
  }

  estop(): boolean {
    return this.send({ kind: 'estop', reason: 1 });
  }

  /** @param latch the number that was seen when the clearing was asked for, so that no newer stop is undone */
  clearLatch(latch: number): boolean {
    return this.send({ kind: 'clear', session: this.nonce, latch });
  }

  /** Takes in every frame that is not `sensors`. */
  receive(frame: Frame): void {
    const { message } = frame;
    switch (message.kind) {
      case 'hello':
        this.#receiveHello(message);
        break;
      case 'estopEcho':
        this.latch = message.latch;
        this.latchCause = 'estop';
        this.estopEcho$.next();
        break;
      case 'fault':
        this.latch = message.latch;
        this.latchCause = message.cause;
        break;
      default:
        break;
    }
  }

  #receiveHello(hello: Hello): void {
    const restarted = this.peer !== undefined && this.peer.nonce !== hello.nonce;
    if (restarted) {
      this.restarts += 1;
      // A command that is still on the way must not be taken for an answer to a frame of the new life.
      this.nonce = this.#options.drawNonce();
    } else if (this.state === 'accepted' && hello.peerNonce === 0) {
      // The MCU obeys whom it obeys until it starts anew; this says something to somebody else.
      this.foreignHellos += 1;
      return;
    }
    this.peer = hello;
    this.latch = hello.latch;
    this.latchCause = hello.latchCause;
    if (hello.schemaHash !== SCHEMA_HASH || hello.protocolVersion !== PROTOCOL_VERSION) {
      this.#enter('mismatch');
      return;
    }
    if (hello.peerNonce === this.nonce) {
      // One answer to each `hello`; one more was drawn by somebody else's.
      if (this.#unanswered === 0) this.foreignHellos += 1;
      else this.#unanswered -= 1;
      this.#enter('accepted');
      this.accepted$.next(hello);
      return;
    }
    // At boot the MCU obeys nobody yet.
    this.#enter(hello.peerNonce === 0 ? 'waiting' : 'foreign');
    if (restarted) this.hello();
  }

  /** Both ends by name, for the log and the status. */
  describePeer(): string {
    const { peer } = this;
    if (!peer) return 'no answer yet';
    return `${peer.name} ${peer.revision}, protocol ${peer.protocolVersion}, schema ${hex(peer.schemaHash)} (ours: protocol ${PROTOCOL_VERSION}, schema ${hex(SCHEMA_HASH)})`;
  }
}

/** Fault names for people. */
export const describeFaults = (bits: number): readonly string[] => faultNames(bits);

const hex = (hash: number) => hash.toString(16).padStart(8, '0');
