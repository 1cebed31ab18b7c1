// Generated from firmware-protocol/messages.yaml by `npm run generate`. Do not edit.
import { quantise } from './quantise.ts';
import { readText, writeText } from './text.ts';

/** Version of PROTOCOL.md. */
export const PROTOCOL_VERSION = 1;

/** CRC-32 of the meaning of messages.yaml: ends with different hashes would misread each other. */
export const SCHEMA_HASH = 0xa1f8684e;

/** Most bytes of payload that a receiver takes. */
export const MAX_PAYLOAD = 96;

/** Type byte of each kind of message. */
export const MessageType = {
  hello: 0x01,
  sensors: 0x10,
  command: 0x20,
  estop: 0x30,
  estopEcho: 0x31,
  fault: 0x32,
  clear: 0x33,
} as const;
export type MessageKind = keyof typeof MessageType;

/** Who sends each kind of message. */
export const DIRECTION = {
  hello: 'both',
  sensors: 'mcu-to-host',
  command: 'host-to-mcu',
  estop: 'host-to-mcu',
  estopEcho: 'mcu-to-host',
  fault: 'mcu-to-host',
  clear: 'host-to-mcu',
} as const;

/** Bytes of payload of each kind of message. */
export const PAYLOAD_SIZE = {
  hello: 52,
  sensors: 67,
  command: 45,
  estop: 1,
  estopEcho: 8,
  fault: 9,
  clear: 6,
} as const;

/** Kind of message of a type byte; undefined if there is none. */
export function kindOfType(type: number): MessageKind | undefined {
  switch (type) {
    case 0x01:
      return 'hello';
    case 0x10:
      return 'sensors';
    case 0x20:
      return 'command';
    case 0x30:
      return 'estop';
    case 0x31:
      return 'estopEcho';
    case 0x32:
      return 'fault';
    case 0x33:
      return 'clear';
    default:
      return undefined;
  }
}

/** State of the motor controller. */
export const McuState = {
  /** torque off; where every start begins */
  idle: 'idle',
  /** applies commands */
  active: 'active',
  /** wheels damped to zero velocity, legs held; after 1 s limp */
  braking: 'braking',
  /** wheels off, legs damped */
  limp: 'limp',
  /** torque off, latched; left only by `clear` */
  estopped: 'estopped',
  /** torque off, latched; left only by `clear` once the cause is gone */
  faulted: 'faulted',
} as const;
export type McuState = (typeof McuState)[keyof typeof McuState];

/** Number on the wire of each McuState. */
export const McuStateValue = {
  idle: 0,
  active: 1,
  braking: 2,
  limp: 3,
  estopped: 4,
  faulted: 5,
} as const;

/** McuState of each number on the wire. */
export const McuStateByValue: readonly (McuState | undefined)[] = [
  'idle',
  'active',
  'braking',
  'limp',
  'estopped',
  'faulted',
];

/** State that a command asks for. An e-stop is a message of its own. */
export const RequestedState = {
  /** torque off */
  idle: 'idle',
  /** apply this command */
  active: 'active',
  /** brake, then limp */
  braking: 'braking',
  /** wheels off, legs damped */
  limp: 'limp',
} as const;
export type RequestedState = (typeof RequestedState)[keyof typeof RequestedState];

/** Number on the wire of each RequestedState. */
export const RequestedStateValue = {
  idle: 0,
  active: 1,
  braking: 2,
  limp: 3,
} as const;

/** RequestedState of each number on the wire. */
export const RequestedStateByValue: readonly (RequestedState | undefined)[] = ['idle', 'active', 'braking', 'limp'];

/** Why the MCU latched. */
export const LatchCause = {
  /** nothing is latched */
  none: 'none',
  /** no valid command for the watchdog time */
  watchdog: 'watchdog',
  /** an `estop` message arrived, or the MCU's own stop input acted */
  estop: 'estop',
  /** a fault bit is set */
  fault: 'fault',
} as const;
export type LatchCause = (typeof LatchCause)[keyof typeof LatchCause];

/** Number on the wire of each LatchCause. */
export const LatchCauseValue = {
  none: 0,
  watchdog: 1,
  estop: 2,
  fault: 3,
} as const;

/** LatchCause of each number on the wire. */
export const LatchCauseByValue: readonly (LatchCause | undefined)[] = ['none', 'watchdog', 'estop', 'fault'];

/** Hardware faults. Any bit makes the MCU `faulted`. Masks of a number on the wire. */
export const Faults = {
  /** IMU does not answer or fails its self-test */
  imu: 0x0001,
  /** left wheel drive reports an error */
  leftWheelDrive: 0x0002,
  /** right wheel drive reports an error */
  rightWheelDrive: 0x0004,
  /** a hip or knee drive reports an error */
  legDrive: 0x0008,
  /** an encoder is missing or implausible */
  encoder: 0x0010,
  /** a drive or the board is too hot */
  overTemperature: 0x0020,
  /** supply below the drives' minimum */
  underVoltage: 0x0040,
  /** supply above the drives' maximum */
  overVoltage: 0x0080,
  /** a drive tripped on current */
  overCurrent: 0x0100,
  /** the MCU's own control loop missed its deadline */
  controlOverrun: 0x0200,
} as const;
export type FaultName = keyof typeof Faults;

const faultNamesByBit: readonly FaultName[] = [
  'imu',
  'leftWheelDrive',
  'rightWheelDrive',
  'legDrive',
  'encoder',
  'overTemperature',
  'underVoltage',
  'overVoltage',
  'overCurrent',
  'controlOverrun',
];

/** Names of the bits that are set. A bit without a name is left out here; it stays in the number. */
export function faultNames(bits: number): FaultName[] {
  return faultNamesByBit.filter((_, bit) => ((bits >>> bit) & 1) === 1);
}

/**
 * Opens a session and names both ends. The host repeats it until it is answered; the MCU sends it at boot and in answer
 * to each `hello`. Layout and type of this message never change between protocol versions.
 */
export interface Hello {
  readonly kind: 'hello';
  /** version of this document */
  readonly protocolVersion: number;
  /** hash of the message file; ends with different hashes refuse each other */
  readonly schemaHash: number;
  /** host: drawn anew whenever it opens the port. MCU: drawn anew at each boot; never 0 */
  readonly nonce: number;
  /** MCU: nonce of the host it obeys, 0 if none; host: nonce of the MCU it last met, 0 if none */
  readonly peerNonce: number;
  /** [Hz] MCU: rate of `sensors`; host: 0 */
  readonly sensorRate: number;
  /** [ms] MCU: time without a valid command until it brakes, latched; host: 0 */
  readonly watchdog: number;
  /** MCU: number of the latest latch, counts up; host: 0 */
  readonly latch: number;
  /** MCU: what is latched now */
  readonly latchCause: LatchCause;
  /** robot model or host program, UTF-8, zero padded */
  readonly name: string;
  /** firmware or program version, UTF-8, zero padded */
  readonly revision: string;
}

/** One sample of everything the controller needs, at the sensor rate. The host answers each with one `command`. */
export interface Sensors {
  readonly kind: 'sensors';
  /** state of the MCU when it sampled */
  readonly state: McuState;
  /** the quaternion is the IMU's own; otherwise it is to be ignored */
  readonly hasAttitude: boolean;
  /** wheelTorqueMeasured is a measurement; otherwise it repeats the applied torque */
  readonly hasWheelTorque: boolean;
  /** leg joints are measured */
  readonly hasLegs: boolean;
  /** the last valid command was within its time to live when it sampled */
  readonly commandFresh: boolean;
  /** sequence of the `sensors` frame that the last valid command answered; 0 before the first */
  readonly answered: number;
  /** [rad/s] angular rate x, y, z in the body frame */
  readonly gyro: readonly [number, number, number];
  /** [m/s²] specific force x, y, z in the body frame; +9.81 on z at rest upright */
  readonly acceleration: readonly [number, number, number];
  /** unit quaternion w, x, y, z, body to world */
  readonly attitude: readonly [number, number, number, number];
  /** [rad] left, right; relative to the shank, not wrapped */
  readonly wheelPosition: readonly [number, number];
  /** [rad] left hip, left knee, right hip, right knee; PROTOCOL.md §1 has the signs */
  readonly legPosition: readonly [number, number, number, number];
  /** [rad/s] left, right; relative to the shank */
  readonly wheelVelocity: readonly [number, number];
  /** [rad/s] in the order of legPosition */
  readonly legVelocity: readonly [number, number, number, number];
  /** [N·m] torque that the drives were commanded to give since the previous sample (PROTOCOL.md §5.3): left, right */
  readonly wheelTorqueApplied: readonly [number, number];
  /** [N·m] torque from the drives' current sensors */
  readonly wheelTorqueMeasured: readonly [number, number];
  /** [N·m] in the order of legPosition; for load and contact estimation, not for control */
  readonly legTorque: readonly [number, number, number, number];
  /** faults now; masks in `Faults` */
  readonly faults: number;
  /** [V] supply voltage */
  readonly battery: number;
  /**
   * [°C] one of eight, chosen by sequence mod 8: left hip, left knee, left wheel, right hip, right knee, right wheel
   * drive, board, battery; 255 = not measured
   */
  readonly temperature: number;
}

/**
 * Answer to one `sensors` frame. Expires `timeToLive` after the instant at which the answered frame was sampled,
 * however late it arrives; is obeyed only from the host named in the last accepted `hello`, and only if it answers a
 * newer frame than the command before it.
 */
export interface Command {
  readonly kind: 'command';
  /** the host's nonce */
  readonly session: number;
  /** sequence of the `sensors` frame that it answers */
  readonly answers: number;
  /** [µs] from the sampling of the answered frame; 0 = already expired */
  readonly timeToLive: number;
  /** state asked for */
  readonly requestedState: RequestedState;
  /** [N·m] left, right; positive drives forward */
  readonly wheelTorque: readonly [number, number];
  /** [rad] set-points: left hip, left knee, right hip, right knee */
  readonly legPosition: readonly [number, number, number, number];
  /** [rad/s] velocity set-points */
  readonly legVelocity: readonly [number, number, number, number];
  /** [N·m] feed-forward torques */
  readonly legTorque: readonly [number, number, number, number];
  /** [N·m/rad] position gains */
  readonly legStiffness: readonly [number, number, number, number];
  /** [N·m·s/rad] velocity gains */
  readonly legDamping: readonly [number, number, number, number];
}

/**
 * Torque off at once, latched. Obeyed in every state, from anybody, without `hello`, whatever its sequence, and also
 * when the schema hashes differ: type and layout of this message never change.
 */
export interface Estop {
  readonly kind: 'estop';
  /** for the log; any value stops */
  readonly reason: number;
}

/** Torque is off. Sent at once on `estop`, and every 100 ms while e-stopped. */
export interface EstopEcho {
  readonly kind: 'estopEcho';
  /** number of this latch; `clear` must name it */
  readonly latch: number;
  /** [µs] MCU time of the latch */
  readonly latchedAt: number;
  /** sequence of the latest `estop` received */
  readonly estopSequence: number;
}

/** The MCU latched for another reason than an e-stop. Sent at once, and every 100 ms while latched. */
export interface Fault {
  readonly kind: 'fault';
  /** number of this latch */
  readonly latch: number;
  /** why */
  readonly cause: LatchCause;
  /** fault bits at the latch; masks in `Faults` */
  readonly faults: number;
  /** [µs] MCU time of the latch */
  readonly latchedAt: number;
}

/**
 * Clears the latch of that number and leaves the MCU idle. Ignored from another session, for another number, and while
 * the cause of a fault persists; so a late or repeated `clear` cannot undo a newer stop.
 */
export interface Clear {
  readonly kind: 'clear';
  /** the host's nonce */
  readonly session: number;
  /** number of the latch to clear */
  readonly latch: number;
}

export type Message = Hello | Sensors | Command | Estop | EstopEcho | Fault | Clear;

/** The message type of a kind. */
export type MessageOf<K extends MessageKind> = Extract<Message, { kind: K }>;

/** Physical value of one count of each numeric field, in the unit of the field. */
export const RESOLUTION = {
  hello: {
    protocolVersion: 1,
    schemaHash: 1,
    nonce: 1,
    peerNonce: 1,
    sensorRate: 1,
    watchdog: 1,
    latch: 1,
  },
  sensors: {
    answered: 1,
    gyro: 50 / 32768,
    acceleration: 0.005,
    attitude: 1 / 32767,
    wheelPosition: 0.0001,
    legPosition: 0.0001,
    wheelVelocity: 0.005,
    legVelocity: 0.002,
    wheelTorqueApplied: 0.001,
    wheelTorqueMeasured: 0.001,
    legTorque: 0.2,
    battery: 0.25,
    temperature: 1,
  },
  command: {
    session: 1,
    answers: 1,
    timeToLive: 10,
    wheelTorque: 0.001,
    legPosition: 0.0001,
    legVelocity: 0.002,
    legTorque: 0.001,
    legStiffness: 1,
    legDamping: 0.1,
  },
  estop: {
    reason: 1,
  },
  estopEcho: {
    latch: 1,
    latchedAt: 1,
    estopSequence: 1,
  },
  fault: {
    latch: 1,
    latchedAt: 1,
  },
  clear: {
    session: 1,
    latch: 1,
  },
} as const;

function u8(value: number, resolution: number, field: string): number {
  return quantise(value, resolution, 0, 255, field);
}

function u16(value: number, resolution: number, field: string): number {
  return quantise(value, resolution, 0, 65535, field);
}

function u32(value: number, resolution: number, field: string): number {
  return quantise(value, resolution, 0, 4294967295, field);
}

function i8(value: number, resolution: number, field: string): number {
  return quantise(value, resolution, -128, 127, field);
}

function i16(value: number, resolution: number, field: string): number {
  return quantise(value, resolution, -32768, 32767, field);
}

function i32(value: number, resolution: number, field: string): number {
  return quantise(value, resolution, -2147483648, 2147483647, field);
}

function encodeHello(message: Hello, view: DataView, at: number): void {
  view.setUint8(at, u8(message.protocolVersion, 1, 'hello.protocolVersion'));
  view.setUint32(at + 1, u32(message.schemaHash, 1, 'hello.schemaHash'), true);
  view.setUint32(at + 5, u32(message.nonce, 1, 'hello.nonce'), true);
  view.setUint32(at + 9, u32(message.peerNonce, 1, 'hello.peerNonce'), true);
  view.setUint16(at + 13, u16(message.sensorRate, 1, 'hello.sensorRate'), true);
  view.setUint16(at + 15, u16(message.watchdog, 1, 'hello.watchdog'), true);
  view.setUint16(at + 17, u16(message.latch, 1, 'hello.latch'), true);
  view.setUint8(at + 19, u8(LatchCauseValue[message.latchCause], 1, 'hello.latchCause'));
  writeText(message.name, view, at + 20, 16);
  writeText(message.revision, view, at + 36, 16);
}

function decodeHello(view: DataView, at: number): Hello | undefined {
  const latchCause = LatchCauseByValue[view.getUint8(at + 19)];
  if (latchCause === undefined) return undefined;
  return {
    kind: 'hello',
    protocolVersion: view.getUint8(at),
    schemaHash: view.getUint32(at + 1, true),
    nonce: view.getUint32(at + 5, true),
    peerNonce: view.getUint32(at + 9, true),
    sensorRate: view.getUint16(at + 13, true),
    watchdog: view.getUint16(at + 15, true),
    latch: view.getUint16(at + 17, true),
    latchCause,
    name: readText(view, at + 20, 16),
    revision: readText(view, at + 36, 16),
  };
}

function encodeSensors(message: Sensors, view: DataView, at: number): void {
  let status = 0;
  status |= u8(McuStateValue[message.state], 1, 'sensors.state');
  if (message.hasAttitude) status |= 0x08;
  if (message.hasWheelTorque) status |= 0x10;
  if (message.hasLegs) status |= 0x20;
  if (message.commandFresh) status |= 0x40;
  view.setUint8(at, status);
  view.setUint16(at + 1, u16(message.answered, 1, 'sensors.answered'), true);
  view.setInt16(at + 3, i16(message.gyro[0], 50 / 32768, 'sensors.gyro[0]'), true);
  view.setInt16(at + 5, i16(message.gyro[1], 50 / 32768, 'sensors.gyro[1]'), true);
  view.setInt16(at + 7, i16(message.gyro[2], 50 / 32768, 'sensors.gyro[2]'), true);
  view.setInt16(at + 9, i16(message.acceleration[0], 0.005, 'sensors.acceleration[0]'), true);
  view.setInt16(at + 11, i16(message.acceleration[1], 0.005, 'sensors.acceleration[1]'), true);
  view.setInt16(at + 13, i16(message.acceleration[2], 0.005, 'sensors.acceleration[2]'), true);
  view.setInt16(at + 15, i16(message.attitude[0], 1 / 32767, 'sensors.attitude[0]'), true);
  view.setInt16(at + 17, i16(message.attitude[1], 1 / 32767, 'sensors.attitude[1]'), true);
  view.setInt16(at + 19, i16(message.attitude[2], 1 / 32767, 'sensors.attitude[2]'), true);
  view.setInt16(at + 21, i16(message.attitude[3], 1 / 32767, 'sensors.attitude[3]'), true);
  view.setInt32(at + 23, i32(message.wheelPosition[0], 0.0001, 'sensors.wheelPosition[0]'), true);
  view.setInt32(at + 27, i32(message.wheelPosition[1], 0.0001, 'sensors.wheelPosition[1]'), true);
  view.setInt16(at + 31, i16(message.legPosition[0], 0.0001, 'sensors.legPosition[0]'), true);
  view.setInt16(at + 33, i16(message.legPosition[1], 0.0001, 'sensors.legPosition[1]'), true);
  view.setInt16(at + 35, i16(message.legPosition[2], 0.0001, 'sensors.legPosition[2]'), true);
  view.setInt16(at + 37, i16(message.legPosition[3], 0.0001, 'sensors.legPosition[3]'), true);
  view.setInt16(at + 39, i16(message.wheelVelocity[0], 0.005, 'sensors.wheelVelocity[0]'), true);
  view.setInt16(at + 41, i16(message.wheelVelocity[1], 0.005, 'sensors.wheelVelocity[1]'), true);
  view.setInt16(at + 43, i16(message.legVelocity[0], 0.002, 'sensors.legVelocity[0]'), true);
  view.setInt16(at + 45, i16(message.legVelocity[1], 0.002, 'sensors.legVelocity[1]'), true);
  view.setInt16(at + 47, i16(message.legVelocity[2], 0.002, 'sensors.legVelocity[2]'), true);
  view.setInt16(at + 49, i16(message.legVelocity[3], 0.002, 'sensors.legVelocity[3]'), true);
  view.setInt16(at + 51, i16(message.wheelTorqueApplied[0], 0.001, 'sensors.wheelTorqueApplied[0]'), true);
  view.setInt16(at + 53, i16(message.wheelTorqueApplied[1], 0.001, 'sensors.wheelTorqueApplied[1]'), true);
  view.setInt16(at + 55, i16(message.wheelTorqueMeasured[0], 0.001, 'sensors.wheelTorqueMeasured[0]'), true);
  view.setInt16(at + 57, i16(message.wheelTorqueMeasured[1], 0.001, 'sensors.wheelTorqueMeasured[1]'), true);
  view.setInt8(at + 59, i8(message.legTorque[0], 0.2, 'sensors.legTorque[0]'));
  view.setInt8(at + 60, i8(message.legTorque[1], 0.2, 'sensors.legTorque[1]'));
  view.setInt8(at + 61, i8(message.legTorque[2], 0.2, 'sensors.legTorque[2]'));
  view.setInt8(at + 62, i8(message.legTorque[3], 0.2, 'sensors.legTorque[3]'));
  view.setUint16(at + 63, u16(message.faults, 1, 'sensors.faults'), true);
  view.setUint8(at + 65, u8(message.battery, 0.25, 'sensors.battery'));
  view.setUint8(at + 66, u8(message.temperature, 1, 'sensors.temperature'));
}

function decodeSensors(view: DataView, at: number): Sensors | undefined {
  const status = view.getUint8(at);
  const state = McuStateByValue[status & 0x07];
  if (state === undefined) return undefined;
  return {
    kind: 'sensors',
    state,
    hasAttitude: (status & 0x08) !== 0,
    hasWheelTorque: (status & 0x10) !== 0,
    hasLegs: (status & 0x20) !== 0,
    commandFresh: (status & 0x40) !== 0,
    answered: view.getUint16(at + 1, true),
    gyro: [
      view.getInt16(at + 3, true) * (50 / 32768),
      view.getInt16(at + 5, true) * (50 / 32768),
      view.getInt16(at + 7, true) * (50 / 32768),
    ],
    acceleration: [
      view.getInt16(at + 9, true) * 0.005,
      view.getInt16(at + 11, true) * 0.005,
      view.getInt16(at + 13, true) * 0.005,
    ],
    attitude: [
      view.getInt16(at + 15, true) * (1 / 32767),
      view.getInt16(at + 17, true) * (1 / 32767),
      view.getInt16(at + 19, true) * (1 / 32767),
      view.getInt16(at + 21, true) * (1 / 32767),
    ],
    wheelPosition: [view.getInt32(at + 23, true) * 0.0001, view.getInt32(at + 27, true) * 0.0001],
    legPosition: [
      view.getInt16(at + 31, true) * 0.0001,
      view.getInt16(at + 33, true) * 0.0001,
      view.getInt16(at + 35, true) * 0.0001,
      view.getInt16(at + 37, true) * 0.0001,
    ],
    wheelVelocity: [view.getInt16(at + 39, true) * 0.005, view.getInt16(at + 41, true) * 0.005],
    legVelocity: [
      view.getInt16(at + 43, true) * 0.002,
      view.getInt16(at + 45, true) * 0.002,
      view.getInt16(at + 47, true) * 0.002,
      view.getInt16(at + 49, true) * 0.002,
    ],
    wheelTorqueApplied: [view.getInt16(at + 51, true) * 0.001, view.getInt16(at + 53, true) * 0.001],
    wheelTorqueMeasured: [view.getInt16(at + 55, true) * 0.001, view.getInt16(at + 57, true) * 0.001],
    legTorque: [
      view.getInt8(at + 59) * 0.2,
      view.getInt8(at + 60) * 0.2,
      view.getInt8(at + 61) * 0.2,
      view.getInt8(at + 62) * 0.2,
    ],
    faults: view.getUint16(at + 63, true),
    battery: view.getUint8(at + 65) * 0.25,
    temperature: view.getUint8(at + 66),
  };
}

function encodeCommand(message: Command, view: DataView, at: number): void {
  view.setUint32(at, u32(message.session, 1, 'command.session'), true);
  view.setUint16(at + 4, u16(message.answers, 1, 'command.answers'), true);
  view.setUint16(at + 6, u16(message.timeToLive, 10, 'command.timeToLive'), true);
  view.setUint8(at + 8, u8(RequestedStateValue[message.requestedState], 1, 'command.requestedState'));
  view.setInt16(at + 9, i16(message.wheelTorque[0], 0.001, 'command.wheelTorque[0]'), true);
  view.setInt16(at + 11, i16(message.wheelTorque[1], 0.001, 'command.wheelTorque[1]'), true);
  view.setInt16(at + 13, i16(message.legPosition[0], 0.0001, 'command.legPosition[0]'), true);
  view.setInt16(at + 15, i16(message.legPosition[1], 0.0001, 'command.legPosition[1]'), true);
  view.setInt16(at + 17, i16(message.legPosition[2], 0.0001, 'command.legPosition[2]'), true);
  view.setInt16(at + 19, i16(message.legPosition[3], 0.0001, 'command.legPosition[3]'), true);
  view.setInt16(at + 21, i16(message.legVelocity[0], 0.002, 'command.legVelocity[0]'), true);
  view.setInt16(at + 23, i16(message.legVelocity[1], 0.002, 'command.legVelocity[1]'), true);
  view.setInt16(at + 25, i16(message.legVelocity[2], 0.002, 'command.legVelocity[2]'), true);
  view.setInt16(at + 27, i16(message.legVelocity[3], 0.002, 'command.legVelocity[3]'), true);
  view.setInt16(at + 29, i16(message.legTorque[0], 0.001, 'command.legTorque[0]'), true);
  view.setInt16(at + 31, i16(message.legTorque[1], 0.001, 'command.legTorque[1]'), true);
  view.setInt16(at + 33, i16(message.legTorque[2], 0.001, 'command.legTorque[2]'), true);
  view.setInt16(at + 35, i16(message.legTorque[3], 0.001, 'command.legTorque[3]'), true);
  view.setUint8(at + 37, u8(message.legStiffness[0], 1, 'command.legStiffness[0]'));
  view.setUint8(at + 38, u8(message.legStiffness[1], 1, 'command.legStiffness[1]'));
  view.setUint8(at + 39, u8(message.legStiffness[2], 1, 'command.legStiffness[2]'));
  view.setUint8(at + 40, u8(message.legStiffness[3], 1, 'command.legStiffness[3]'));
  view.setUint8(at + 41, u8(message.legDamping[0], 0.1, 'command.legDamping[0]'));
  view.setUint8(at + 42, u8(message.legDamping[1], 0.1, 'command.legDamping[1]'));
  view.setUint8(at + 43, u8(message.legDamping[2], 0.1, 'command.legDamping[2]'));
  view.setUint8(at + 44, u8(message.legDamping[3], 0.1, 'command.legDamping[3]'));
}

function decodeCommand(view: DataView, at: number): Command | undefined {
  const requestedState = RequestedStateByValue[view.getUint8(at + 8)];
  if (requestedState === undefined) return undefined;
  return {
    kind: 'command',
    session: view.getUint32(at, true),
    answers: view.getUint16(at + 4, true),
    timeToLive: view.getUint16(at + 6, true) * 10,
    requestedState,
    wheelTorque: [view.getInt16(at + 9, true) * 0.001, view.getInt16(at + 11, true) * 0.001],
    legPosition: [
      view.getInt16(at + 13, true) * 0.0001,
      view.getInt16(at + 15, true) * 0.0001,
      view.getInt16(at + 17, true) * 0.0001,
      view.getInt16(at + 19, true) * 0.0001,
    ],
    legVelocity: [
      view.getInt16(at + 21, true) * 0.002,
      view.getInt16(at + 23, true) * 0.002,
      view.getInt16(at + 25, true) * 0.002,
      view.getInt16(at + 27, true) * 0.002,
    ],
    legTorque: [
      view.getInt16(at + 29, true) * 0.001,
      view.getInt16(at + 31, true) * 0.001,
      view.getInt16(at + 33, true) * 0.001,
      view.getInt16(at + 35, true) * 0.001,
    ],
    legStiffness: [view.getUint8(at + 37), view.getUint8(at + 38), view.getUint8(at + 39), view.getUint8(at + 40)],
    legDamping: [
      view.getUint8(at + 41) * 0.1,
      view.getUint8(at + 42) * 0.1,
      view.getUint8(at + 43) * 0.1,
      view.getUint8(at + 44) * 0.1,
    ],
  };
}

function encodeEstop(message: Estop, view: DataView, at: number): void {
  view.setUint8(at, u8(message.reason, 1, 'estop.reason'));
}

function decodeEstop(view: DataView, at: number): Estop {
  return { kind: 'estop', reason: view.getUint8(at) };
}

function encodeEstopEcho(message: EstopEcho, view: DataView, at: number): void {
  view.setUint16(at, u16(message.latch, 1, 'estopEcho.latch'), true);
  view.setUint32(at + 2, u32(message.latchedAt, 1, 'estopEcho.latchedAt'), true);
  view.setUint16(at + 6, u16(message.estopSequence, 1, 'estopEcho.estopSequence'), true);
}

function decodeEstopEcho(view: DataView, at: number): EstopEcho {
  return {
    kind: 'estopEcho',
    latch: view.getUint16(at, true),
    latchedAt: view.getUint32(at + 2, true),
    estopSequence: view.getUint16(at + 6, true),
  };
}

function encodeFault(message: Fault, view: DataView, at: number): void {
  view.setUint16(at, u16(message.latch, 1, 'fault.latch'), true);
  view.setUint8(at + 2, u8(LatchCauseValue[message.cause], 1, 'fault.cause'));
  view.setUint16(at + 3, u16(message.faults, 1, 'fault.faults'), true);
  view.setUint32(at + 5, u32(message.latchedAt, 1, 'fault.latchedAt'), true);
}

function decodeFault(view: DataView, at: number): Fault | undefined {
  const cause = LatchCauseByValue[view.getUint8(at + 2)];
  if (cause === undefined) return undefined;
  return {
    kind: 'fault',
    latch: view.getUint16(at, true),
    cause,
    faults: view.getUint16(at + 3, true),
    latchedAt: view.getUint32(at + 5, true),
  };
}

function encodeClear(message: Clear, view: DataView, at: number): void {
  view.setUint32(at, u32(message.session, 1, 'clear.session'), true);
  view.setUint16(at + 4, u16(message.latch, 1, 'clear.latch'), true);
}

function decodeClear(view: DataView, at: number): Clear {
  return {
    kind: 'clear',
    session: view.getUint32(at, true),
    latch: view.getUint16(at + 4, true),
  };
}

/**
 * Writes the payload of a message.
 *
 * @returns number of bytes written, always `PAYLOAD_SIZE[message.kind]`
 * @throws EdgeError `fieldOutOfRange` naming message and field if a number is NaN; all else is saturated
 */
export function encodePayload(message: Message, view: DataView, offset: number): number {
  switch (message.kind) {
    case 'hello':
      encodeHello(message, view, offset);
      break;
    case 'sensors':
      encodeSensors(message, view, offset);
      break;
    case 'command':
      encodeCommand(message, view, offset);
      break;
    case 'estop':
      encodeEstop(message, view, offset);
      break;
    case 'estopEcho':
      encodeEstopEcho(message, view, offset);
      break;
    case 'fault':
      encodeFault(message, view, offset);
      break;
    case 'clear':
      encodeClear(message, view, offset);
      break;
  }
  return PAYLOAD_SIZE[message.kind];
}

/**
 * Reads a payload of exactly `PAYLOAD_SIZE[kind]` bytes. Never throws for bytes.
 *
 * @returns undefined if an enum field holds a number that names nothing
 */
export function decodePayload(kind: MessageKind, view: DataView, offset: number): Message | undefined {
  switch (kind) {
    case 'hello':
      return decodeHello(view, offset);
    case 'sensors':
      return decodeSensors(view, offset);
    case 'command':
      return decodeCommand(view, offset);
    case 'estop':
      return decodeEstop(view, offset);
    case 'estopEcho':
      return decodeEstopEcho(view, offset);
    case 'fault':
      return decodeFault(view, offset);
    case 'clear':
      return decodeClear(view, offset);
  }
}
