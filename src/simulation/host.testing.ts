import { type Frame, FrameDecoder, FrameEncoder } from '../protocol/frame.ts';
import {
  type Command,
  type Hello,
  type MessageKind,
  type MessageOf,
  PROTOCOL_VERSION,
  SCHEMA_HASH,
} from '../protocol/messages.gen.ts';
import type { Robot } from '../robot/robot.ts';
import type { Joints, Plant, PlantSample } from './plant.ts';
import type { GroundTruth, Torques } from './twin.ts';
import { VirtualMcu, type VirtualMcuOptions } from './virtual-mcu.ts';

/** The host's end of the line for tests: speaks the real bytes, decides nothing. */
export class TestHost {
  readonly frames: Frame[] = [];
  readonly #robot: Robot;
  readonly #nonce: number;
  readonly #encoder = new FrameEncoder();
  readonly #decoder = new FrameDecoder({ from: 'mcu' });

  constructor(robot: Robot, nonce = 0xabcd) {
    this.#robot = robot;
    this.#nonce = nonce;
  }

  /** Takes bytes from the MCU. */
  receive(bytes: Uint8Array): Frame[] {
    const frames = this.#decoder.push(bytes);
    this.frames.push(...frames);
    return frames;
  }

  /** All messages of a kind, in order. */
  all<K extends MessageKind>(kind: K): MessageOf<K>[] {
    return this.frames.filter((frame) => frame.kind === kind).map((frame) => frame.message as MessageOf<K>);
  }

  /** The latest message of a kind. @throws Error when there was none */
  last<K extends MessageKind>(kind: K): MessageOf<K> {
    const message = this.all(kind).at(-1);
    if (!message) throw new Error(`no ${kind} has come`);
    return message;
  }

  /** Sequence of the latest sensors frame. */
  get newest(): number {
    return this.frames.filter(({ kind }) => kind === 'sensors').at(-1)?.sequence ?? 0;
  }

  hello(changes: Partial<Hello> = {}): Uint8Array {
    const message: Hello = {
      kind: 'hello',
      protocolVersion: PROTOCOL_VERSION,
      schemaHash: SCHEMA_HASH,
      nonce: this.#nonce,
      peerNonce: 0,
      sensorRate: 0,
      watchdog: 0,
      latch: 0,
      latchCause: 'none',
      name: 'test',
      revision: '0',
      ...changes,
    };
    return this.#encoder.encode(message, 0);
  }

  /** Stands still, active, in answer to the newest frame unless told otherwise. */
  command(changes: Partial<Command> = {}): Uint8Array {
    const { hipStance, kneeStance, stiffness, damping } = this.#robot.legs;
    const message: Command = {
      kind: 'command',
      session: this.#nonce,
      answers: this.newest,
      timeToLive: this.#robot.timing.commandTimeToLive * 1000,
      requestedState: 'active',
      wheelTorque: [0, 0],
      legPosition: [hipStance, kneeStance, hipStance, kneeStance],
      legVelocity: [0, 0, 0, 0],
      legTorque: [0, 0, 0, 0],
      legStiffness: [stiffness, stiffness, stiffness, stiffness],
      legDamping: [damping, damping, damping, damping],
      ...changes,
    };
    return this.#encoder.encode(message, 0);
  }

  estop(): Uint8Array {
    return this.#encoder.encode({ kind: 'estop', reason: 1 }, 0);
  }

  clear(latch: number, session = this.#nonce): Uint8Array {
    return this.#encoder.encode({ kind: 'clear', session, latch }, 0);
  }
}

/** A robot bolted to the bench: reads the same whatever the torque, which it keeps. */
export class BenchPlant implements Plant {
  readonly applied: Torques[] = [];
  readonly #joints: Joints;

  constructor(joints: Partial<Joints> = {}) {
    this.#joints = { wheelVelocity: [0, 0], legPosition: [0, 0, 0, 0], legVelocity: [0, 0, 0, 0], ...joints };
  }

  /** Torques of the latest millisecond. */
  get torques(): Torques {
    return this.applied.at(-1) ?? { wheels: [0, 0], legs: [0, 0, 0, 0] };
  }

  step(torques: Torques): void {
    this.applied.push(torques);
  }

  joints(): Joints {
    return this.#joints;
  }

  sample(): PlantSample {
    return {
      ...this.#joints,
      gyro: [0, 0, 0],
      acceleration: [0, 0, 9.81],
      attitude: [1, 0, 0, 0],
      wheelPosition: [0, 0],
      wheelTorqueMeasured: this.torques.wheels,
      battery: 24,
      temperature: 30,
    };
  }

  truth(): GroundTruth {
    return { x: 0, speed: 0, pitch: 0, tilt: 0, height: 0, fallen: false };
  }
}

/** MCU and host face to face, MCU time in frames. */
export class TestBench {
  readonly mcu: VirtualMcu;
  readonly host: TestHost;
  readonly plant: BenchPlant;

  constructor(robot: Robot, options: Partial<VirtualMcuOptions> = {}, plant = new BenchPlant()) {
    this.plant = plant;
    this.host = new TestHost(robot);
    this.mcu = new VirtualMcu({ robot, plant, send: (bytes) => this.host.receive(bytes), ...options });
    this.mcu.boot();
  }

  /** Lets this many frames of 5 ms pass; `answer` gives the host's bytes to each. */
  run(frames: number, answer?: () => Uint8Array): void {
    for (let i = 0; i < frames; i++) {
      this.mcu.advance(5000);
      if (answer) this.mcu.receive(answer());
    }
  }

  /** In charge and active. */
  arm(): void {
    this.mcu.receive(this.host.hello());
    this.run(2, () => this.host.command());
  }
}
