import { type Frame, FrameDecoder, FrameEncoder, type LinkCounters } from '../protocol/frame.ts';
import {
  type Command,
  type Hello,
  type McuState,
  type Message,
  PROTOCOL_VERSION,
  SCHEMA_HASH,
} from '../protocol/messages.gen.ts';
import { Random } from '../random.ts';
import type { Robot } from '../robot/robot.ts';
import { AppliedTorque } from './applied-torque.ts';
import { CommandGate, type CommandsRejected, type CommandVerdict } from './mcu-commands.ts';
import { McuServo } from './mcu-servo.ts';
import { McuStateMachine } from './mcu-state.ts';
import type { Plant } from './plant.ts';
import type { Torques } from './twin.ts';

const stepMicros = 1000;
/** of `estopEcho` and `fault` while latched */
const reportMicros = 100_000;

/** Hooks see everything with ground truth; none of them can change anything. */
export interface VirtualMcuOptions {
  readonly robot: Robot;
  readonly plant: Plant;
  /** bytes of one frame for the wire; `time` is MCU time [µs] */
  readonly send: (bytes: Uint8Array, sent: { message: Message; sequence: number; time: number }) => void;
  /** a frame arrived; `verdict` only on commands */
  readonly onReceived?: (frame: Frame, verdict: CommandVerdict | undefined) => void;
  /** after each millisecond; torques are what the drives were commanded during it */
  readonly onStep?: (state: McuState, torques: Torques) => void;
  /** [Hz] of sensors frames; must divide 1000 */
  readonly rate?: number;
  /** of the nonces */
  readonly seed?: number;
  /** default: the robot's name */
  readonly name?: string;
  readonly revision?: string;
  /** sequence of the first frame of each type, to start close to a wrap */
  readonly startSequence?: number;
  /** MCU clock at boot, to start close to a wrap */
  readonly startTimeMicros?: number;
}

/**
 * The firmware's behaviour, byte for byte (PROTOCOL.md), on any plant. Pure: it knows MCU time only, which passes when `advance` says so.
 */
export class VirtualMcu {
  readonly #options: VirtualMcuOptions;
  readonly #robot: Robot;
  readonly #plant: Plant;
  readonly #random: Random;
  readonly #servo: McuServo;
  readonly #decoder = new FrameDecoder({ from: 'host' });
  readonly #periodMicros: number;
  readonly rejected: CommandsRejected = {
    wrongSession: 0,
    unknownAnswer: 0,
    staleAnswer: 0,
    expired: 0,
    notAllowed: 0,
  };
  #encoder = new FrameEncoder();
  #gate = new CommandGate();
  #machine: McuStateMachine;
  #applied = new AppliedTorque();
  #legTorque: readonly [number, number, number, number] = [0, 0, 0, 0];
  #now = 0;
  #pendingMicros = 0;
  #nextFrameAt = 0;
  #nextReportAt = 0;
  #nonce = 0;
  #host = 0;
  #command: { readonly message: Command; readonly until: number; readonly arrived: number } | undefined;
  #estopSequence = 0;
  #ended = false;
  #off = false;

  constructor(options: VirtualMcuOptions) {
    this.#options = options;
    this.#robot = options.robot;
    this.#plant = options.plant;
    this.#periodMicros = 1_000_000 / (options.rate ?? options.robot.policy.rate);
    this.#random = new Random(options.seed ?? 1);
    this.#servo = new McuServo(options.robot);
    this.#machine = this.#newMachine();
  }

  get state(): McuState {
    return this.#machine.state;
  }

  /** MCU time [µs], not wrapped. */
  get now(): number {
    return this.#now;
  }

  /** Time to the next `sensors` frame [µs]; a whole period while there is no power. */
  get untilFrame(): number {
    return this.#off ? this.#periodMicros : this.#nextFrameAt - this.#now;
  }

  /** Nonce of the host in charge, 0 if none. */
  get host(): number {
    return this.#host;
  }

  /** Number of the latest latch. */
  get latch(): number {
    return this.#machine.latch.number;
  }

  /** The plant has ended: nothing is sent any more. */
  get ended(): boolean {
    return this.#ended;
  }

  get counters(): Readonly<LinkCounters> {
    return this.#decoder.counters;
  }

  /** Power on or reset: everything is forgotten, a hello goes out. */
  boot(): void {
    const { startSequence = 0, startTimeMicros = 0 } = this.#options;
    this.#encoder = new FrameEncoder({ firstSequence: startSequence });
    this.#gate = new CommandGate();
    this.#machine = this.#newMachine();
    this.#applied = new AppliedTorque();
    this.#decoder.reset();
    this.#now = startTimeMicros;
    this.#pendingMicros = 0;
    this.#nextFrameAt = this.#now + this.#periodMicros;
    this.#nonce = this.#random.uint32() || 1;
    this.#host = 0;
    this.#command = undefined;
    this.#servo.forget();
    this.#off = false;
    this.#sendHello();
  }

  /** The supply is gone, or the reset line is held: torque off, nothing heard, nothing said, until `boot`. */
  powerOff(): void {
    this.#off = true;
    this.#machine = this.#newMachine();
    this.#host = 0;
    this.#command = undefined;
  }

  /** Bytes from the host, in any portions; they are obeyed at the present MCU time. */
  receive(bytes: Uint8Array): void {
    if (this.#off) return;
    for (const frame of this.#decoder.push(bytes)) {
      const verdict = this.#obey(frame);
      this.#options.onReceived?.(frame, verdict);
    }
  }

  /** Lets MCU time pass, in whole milliseconds; what is left over counts next time. */
  advance(micros: number): void {
    this.#pendingMicros += micros;
    while (this.#pendingMicros >= stepMicros) {
      this.#pendingMicros -= stepMicros;
      this.#step();
    }
  }

  /** The hardware's fault bits from now on; 0 when all is well. */
  setFaults(bits: number): void {
    if (this.#off) return;
    const before = this.#machine.latch.number;
    this.#machine.setFaults(bits, this.#now);
    if (this.#machine.latch.number !== before) this.#report();
  }

  #newMachine(): McuStateMachine {
    return new McuStateMachine(this.#robot.timing.brakeTime * 1e6);
  }

  #step(): void {
    const state = this.#machine.state;
    const torques = this.#servo.torques(state, this.#fresh()?.message, this.#plant.joints());
    this.#plant.step(torques, state);
    this.#applied.record(torques.wheels);
    this.#legTorque = torques.legs;
    this.#now += stepMicros;
    if (!this.#off) this.#speak();
    this.#options.onStep?.(state, torques);
  }

  #speak(): void {
    this.#watch();
    this.#machine.tick(this.#now);
    if (this.#machine.latched && this.#now >= this.#nextReportAt) this.#report();
    if (this.#now >= this.#nextFrameAt) {
      this.#nextFrameAt += this.#periodMicros;
      this.#sendSensors();
    }
  }

  /** The command whose time to live is not over. */
  #fresh() {
    return this.#command && this.#now < this.#command.until ? this.#command : undefined;
  }

  /** Only an active robot depends on its host. */
  #watch(): void {
    if (this.#machine.state !== 'active' || !this.#command) return;
    if (this.#now - this.#command.arrived < this.#robot.timing.mcuWatchdog * 1000) return;
    this.#machine.watchdog(this.#now);
    this.#report();
  }

  #obey(frame: Frame): CommandVerdict | undefined {
    const { message } = frame;
    switch (message.kind) {
      case 'hello':
        this.#meet(message);
        return undefined;
      case 'command':
        return this.#take(message);
      case 'estop':
        this.#estopSequence = frame.sequence;
        this.#machine.estop(this.#now);
        this.#report();
        return undefined;
      case 'clear':
        if (this.#host !== 0 && message.session === this.#host) this.#clear(message.latch);
        return undefined;
      default:
        // the decoder lets nothing through that only an MCU sends
        return undefined;
    }
  }

  /** §5.2: a fault bit that outlives the clearing of an e-stop latches anew. */
  #clear(latch: number): void {
    if (this.#machine.clear(latch, this.#now) && this.#machine.latched) this.#report();
  }

  /** §4.3, §4.5: a host that speaks another protocol is never let in, and only its `estop` is obeyed. */
  #meet(hello: Hello): void {
    const understood = hello.protocolVersion === PROTOCOL_VERSION && hello.schemaHash === SCHEMA_HASH;
    const driving = this.#machine.state === 'active' || this.#machine.state === 'braking';
    if (understood && hello.nonce !== 0 && hello.nonce !== this.#host && !driving) {
      this.#host = hello.nonce;
      this.#command = undefined;
      this.#gate.newSession();
    }
    this.#sendHello();
  }

  #take(command: Command): CommandVerdict {
    const { verdict, until } = this.#gate.judge(command, this.#host, this.#now);
    if (verdict !== 'valid') {
      this.rejected[verdict] += 1;
      return verdict;
    }
    this.#command = { message: command, until, arrived: this.#now };
    if (!this.#machine.request(command.requestedState, this.#now)) this.rejected.notAllowed += 1;
    return verdict;
  }

  #sendHello(): void {
    const { number, cause } = this.#machine.latch;
    this.#send({
      kind: 'hello',
      protocolVersion: PROTOCOL_VERSION,
      schemaHash: SCHEMA_HASH,
      nonce: this.#nonce,
      peerNonce: this.#host,
      sensorRate: Math.round(1_000_000 / this.#periodMicros),
      watchdog: this.#robot.timing.mcuWatchdog,
      latch: number,
      latchCause: cause,
      name: this.#options.name ?? this.#robot.name,
      revision: this.#options.revision ?? 'virtual',
    });
  }

  #report(): void {
    this.#nextReportAt = this.#now + reportMicros;
    const { number, cause, at, faults } = this.#machine.latch;
    // 32 bits of the clock, as on the wire
    const latchedAt = at % 2 ** 32;
    if (this.#machine.state === 'estopped') {
      this.#send({ kind: 'estopEcho', latch: number, latchedAt, estopSequence: this.#estopSequence });
    } else {
      this.#send({ kind: 'fault', latch: number, cause, faults, latchedAt });
    }
  }

  #sendSensors(): void {
    const state = this.#machine.state;
    const sample = this.#plant.sample(state);
    const commanded = this.#applied.take();
    if (!sample) {
      this.#ended = true;
      return;
    }
    const { wheelTorqueApplied = commanded, ...readings } = sample;
    const sequence = this.#encoder.nextSequence('sensors');
    this.#gate.sent(sequence, this.#now);
    this.#send({
      hasAttitude: true,
      hasWheelTorque: true,
      hasLegs: true,
      ...readings,
      kind: 'sensors',
      state,
      commandFresh: this.#fresh() !== undefined,
      answered: this.#gate.answered,
      wheelTorqueApplied,
      legTorque: this.#legTorque,
      faults: this.#machine.faults,
    });
  }

  #send(message: Message): void {
    const sequence = this.#encoder.nextSequence(message.kind);
    const bytes = this.#encoder.encode(message, this.#now);
    this.#options.send(bytes, { message, sequence, time: this.#now });
  }
}
