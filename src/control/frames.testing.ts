import { type Frame, FrameDecoder, FrameEncoder } from '../protocol/frame.ts';
import {
  type Hello,
  type Message,
  type MessageKind,
  type MessageOf,
  PROTOCOL_VERSION,
  RESOLUTION,
  SCHEMA_HASH,
  type Sensors,
} from '../protocol/messages.gen.ts';
import { McuSession } from './mcu/mcu-session.ts';

let samples = 0;

/** What an upright robot at rest measures. Like any live IMU it never says the same twice: the last bit flickers. */
export const sensors = (over: Partial<Sensors> = {}): Sensors => {
  samples += 1;
  return steadySensors({
    gyro: [(samples % 5) * RESOLUTION.sensors.gyro, 0, 0],
    acceleration: [0, (samples % 5) * RESOLUTION.sensors.acceleration, 9.81],
    ...over,
  });
};

/** As `sensors`, but every sample is the same. */
export const steadySensors = (over: Partial<Sensors> = {}): Sensors => ({
  kind: 'sensors',
  state: 'idle',
  hasAttitude: true,
  hasWheelTorque: true,
  hasLegs: true,
  commandFresh: true,
  answered: 0,
  gyro: [0, 0, 0],
  acceleration: [0, 0, 9.81],
  attitude: [1, 0, 0, 0],
  wheelPosition: [0, 0],
  legPosition: [0, 0, 0, 0],
  wheelVelocity: [0, 0],
  legVelocity: [0, 0, 0, 0],
  wheelTorqueApplied: [0, 0],
  wheelTorqueMeasured: [0, 0],
  legTorque: [0, 0, 0, 0],
  faults: 0,
  battery: 24,
  temperature: 35,
  ...over,
});

/** Attitude of a body that leans forward [rad]. */
export const leaning = (pitch: number): Sensors['attitude'] => [Math.cos(pitch / 2), 0, Math.sin(pitch / 2), 0];

/** The MCU's greeting. */
export const mcuHello = (over: Partial<Hello> = {}): Hello => ({
  kind: 'hello',
  protocolVersion: PROTOCOL_VERSION,
  schemaHash: SCHEMA_HASH,
  nonce: 77,
  peerNonce: 0,
  sensorRate: 200,
  watchdog: 50,
  latch: 0,
  latchCause: 'none',
  name: 'wheel-legged',
  revision: '1.2',
  ...over,
});

/** A received frame as the decoder would hand it on. */
export const frameOf = (message: Message): Frame =>
  ({ kind: message.kind, sequence: 0, time: 0, message, lost: 0 }) as Frame;

/** The MCU's end of the line: real bytes, a clock that advances by one period for each sample. */
export class McuWire {
  readonly #encoder: FrameEncoder;
  readonly #period: number;
  #time: number;

  constructor({ firstSequence = 0, firstTime = 0, period = 5000 } = {}) {
    this.#encoder = new FrameEncoder({ firstSequence });
    this.#time = firstTime;
    this.#period = period;
  }

  /** Bytes of the next sample. */
  sensors(over: Partial<Sensors> = {}): Uint8Array {
    const bytes = this.#encoder.encode(sensors(over), this.#time);
    this.#time += this.#period;
    return bytes;
  }

  /** The clock goes on without a sample [µs]. */
  pause(micros: number): void {
    this.#time += micros;
  }

  /** Samples that never arrive. */
  lose(frames: number): void {
    for (let frame = 0; frame < frames; frame++) this.sensors();
  }

  send(message: Message): Uint8Array {
    return this.#encoder.encode(message, this.#time);
  }
}

/** Takes what the host sends, as bytes, and shows it as messages. */
export class HostTap {
  readonly frames: Frame[] = [];
  /** what went out and nobody has taken yet, for a real MCU */
  readonly bytes: Uint8Array[] = [];
  /** bytes are kept for somebody */
  keeps = false;
  /** what the port answers to a write */
  open = true;
  writes = 0;
  readonly #decoder = new FrameDecoder({ from: 'host' });

  readonly write = (bytes: Uint8Array): boolean => {
    this.writes += 1;
    if (this.open && this.keeps) this.bytes.push(bytes);
    if (this.open) this.frames.push(...this.#decoder.push(bytes));
    return this.open;
  };

  get kinds(): MessageKind[] {
    return this.frames.map((frame) => frame.kind);
  }

  all<K extends MessageKind>(kind: K): MessageOf<K>[] {
    return this.frames.filter((frame) => frame.kind === kind).map((frame) => frame.message as MessageOf<K>);
  }

  count(kind: MessageKind): number {
    return this.all(kind).length;
  }
}

/** A session whose nonces count 1001, 1002, …, and what it sends. */
export function tappedSession(): { session: McuSession; tap: HostTap } {
  const tap = new HostTap();
  let nonce = 1000;
  const session = new McuSession({
    drawNonce: () => ++nonce,
    revision: 'test',
    nowMicros: () => 0,
    send: tap.write,
  });
  return { session, tap };
}

/** The MCU accepts the host that has just greeted it. */
export function accept(session: McuSession, over: Partial<Hello> = {}): void {
  session.receive(frameOf(mcuHello({ peerNonce: session.nonce, ...over })));
}

/** Bytes in one piece. */
export const join = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

/** The same bytes, cut at the given places. */
export function cut(bytes: Uint8Array, at: readonly number[]): Uint8Array[] {
  const places = [...new Set(at.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((start, index) => bytes.subarray(start, places[index] ?? bytes.length));
}
