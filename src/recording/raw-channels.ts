import type { McapTypes } from '@mcap/core';
import type { RawSensor } from '../messages/config.ts';
import { readRecords, sensorsOf, type TapedFrame } from '../messages/tape.ts';
import type { TapeBlock } from '../messages/tape-block.ts';
import { TapeDamage } from '../messages/tape-bytes.ts';
import { McuStateValue, type Sensors } from '../protocol/messages.gen.ts';
import { cdrOf } from './cdr.ts';
import type { RowGlance } from './row-key.ts';

/**
 * What the sensors said, frame by frame, each kind on a channel of its own. Control does nothing for it: every frame stands
 * on the tape as it came over the wire, and is taken from there.
 */

type Type = 'float64' | 'float32' | 'uint16' | 'uint8';
const SIZE = { float64: 8, float32: 4, uint16: 2, uint8: 1 } as const satisfies Record<Type, number>;

interface Field {
  readonly name: string;
  readonly type: Type;
  readonly count?: number;
  /** unit, and order where there are several */
  readonly says: string;
  readonly of: (sensors: Sensors) => number | boolean | readonly number[];
}

interface Layout {
  readonly schema: string;
  readonly says: string;
  /** ordered by size, so that none needs padding before it */
  readonly fields: readonly Field[];
}

const LEGS = 'left hip, left knee, right hip, right knee';

const LAYOUTS: Readonly<Record<RawSensor, Layout>> = {
  imu: {
    schema: 'h2o_edge/msg/Imu',
    says: 'Inertial measurement unit; body frame: x forward, y left, z up.',
    fields: [
      { name: 'angular_velocity', type: 'float32', count: 3, says: 'x, y, z [rad/s]', of: (s) => s.gyro },
      {
        name: 'acceleration',
        type: 'float32',
        count: 3,
        says: 'x, y, z [m/s^2]; +9.81 on z at rest',
        of: (s) => s.acceleration,
      },
      { name: 'attitude', type: 'float32', count: 4, says: 'w, x, y, z, body to world', of: (s) => s.attitude },
      { name: 'has_attitude', type: 'uint8', says: '0: ignore attitude', of: (s) => s.hasAttitude },
    ],
  },
  wheels: {
    schema: 'h2o_edge/msg/Wheels',
    says: 'Wheels: left, right; angles relative to the shank, not wrapped; positive torque drives forward.',
    fields: [
      { name: 'position', type: 'float64', count: 2, says: '[rad]', of: (s) => s.wheelPosition },
      { name: 'velocity', type: 'float32', count: 2, says: '[rad/s]', of: (s) => s.wheelVelocity },
      { name: 'torque_applied', type: 'float32', count: 2, says: '[N m]', of: (s) => s.wheelTorqueApplied },
      { name: 'torque_measured', type: 'float32', count: 2, says: '[N m]', of: (s) => s.wheelTorqueMeasured },
      { name: 'has_torque_measured', type: 'uint8', says: '0: it repeats torque_applied', of: (s) => s.hasWheelTorque },
    ],
  },
  joints: {
    schema: 'h2o_edge/msg/Joints',
    says: `Leg joints: ${LEGS}.`,
    fields: [
      { name: 'position', type: 'float32', count: 4, says: '[rad]', of: (s) => s.legPosition },
      { name: 'velocity', type: 'float32', count: 4, says: '[rad/s]', of: (s) => s.legVelocity },
      { name: 'torque', type: 'float32', count: 4, says: '[N m]', of: (s) => s.legTorque },
      { name: 'has_joints', type: 'uint8', says: '0: nothing of this is measured', of: (s) => s.hasLegs },
    ],
  },
  board: {
    schema: 'h2o_edge/msg/Board',
    says: 'The motor controller itself. Numbers of states, bits of faults: firmware-protocol/PROTOCOL.md.',
    fields: [
      { name: 'battery', type: 'float32', says: '[V]', of: (s) => s.battery },
      {
        name: 'temperature',
        type: 'float32',
        says: '[degC] of one of eight, by sequence mod 8; 255: not measured',
        of: (s) => s.temperature,
      },
      { name: 'faults', type: 'uint16', says: 'bits', of: (s) => s.faults },
      {
        name: 'answered',
        type: 'uint16',
        says: 'sequence mod 2^16 of the frame that the last command answered',
        of: (s) => s.answered,
      },
      { name: 'state', type: 'uint8', says: 'number of the state', of: (s) => McuStateValue[s.state] },
      {
        name: 'command_fresh',
        type: 'uint8',
        says: 'the last command was within its time to live',
        of: (s) => s.commandFresh,
      },
    ],
  },
};

/** What every message begins with: boot, sequence, MCU time, arrival. */
const STAMP = [
  'uint64 boot',
  'uint64 sequence',
  'uint64 mcu_time_us # MCU clock at the sampling',
  'uint64 monotonic_ns # host clock at the arrival',
];
const STAMP_BYTES = 8 * STAMP.length;

/** Ids of schemas and channels, after those that every segment has. */
const FIRST_ID = 16;

export const rawTopic = (sensor: RawSensor): string => `/raw/${sensor}`;

const schemaText = ({ says, fields }: Layout): string =>
  [
    `# ${says}`,
    ...STAMP,
    ...fields.map(({ name, type, count, says: unit }) => {
      const declared = `${type}${count === undefined ? '' : `[${count}]`} ${name}`;
      return unit === '' ? declared : `${declared} # ${unit}`;
    }),
    '',
  ].join('\n');

const ALL = Object.keys(LAYOUTS) as RawSensor[];

interface Open {
  readonly id: number;
  readonly sensor: RawSensor;
  readonly layout: Layout;
  readonly bytes: number;
}

/** The channels of the sensors that are wanted, and the messages on them. */
export class RawChannels {
  readonly schemas: readonly McapTypes.Schema[];
  readonly channels: readonly McapTypes.Channel[];
  readonly #open: readonly Open[];
  /** wall clock minus monotonic clock, as the last row has them [ns] */
  #offset: { readonly boot: bigint; readonly ns: bigint } | undefined;

  constructor(sensors: readonly RawSensor[]) {
    this.#open = ALL.filter((sensor) => sensors.includes(sensor)).map((sensor) => {
      const layout = LAYOUTS[sensor];
      const bytes = layout.fields.reduce((sum, { type, count = 1 }) => sum + SIZE[type] * count, STAMP_BYTES);
      return { id: FIRST_ID + ALL.indexOf(sensor), sensor, layout, bytes };
    });
    this.schemas = this.#open.map(({ id, layout }) => ({
      id,
      name: layout.schema,
      encoding: 'ros2msg',
      data: new TextEncoder().encode(schemaText(layout)),
    }));
    this.channels = this.#open.map(({ id, sensor }) => ({
      id,
      schemaId: id,
      topic: rawTopic(sensor),
      messageEncoding: 'cdr',
      metadata: new Map(),
    }));
  }

  /** A row shows both clocks of the host at one instant. */
  row({ boot, wallNs, monotonicNs }: RowGlance): void {
    this.#offset = { boot, ns: wallNs - monotonicNs };
  }

  /** Every frame in a block of the tape, on every channel; up to the first record that cannot be read. */
  messagesOf(block: TapeBlock): McapTypes.Message[] {
    const messages: McapTypes.Message[] = [];
    const frames = framesOf(block);
    const last = frames.at(-1);
    if (!last) return messages;
    // Without a row, the instant at which the block was closed has to do.
    const offset = this.#offset?.boot === block.boot ? this.#offset.ns : block.wallNs - last.frame.arrivedNs;
    for (const { frame, sensors } of frames) {
      const time = frame.arrivedNs + offset;
      const logTime = time > 0n ? time : 0n;
      for (const channel of this.#open) {
        messages.push({
          channelId: channel.id,
          sequence: frame.sequence >>> 0,
          logTime,
          publishTime: logTime,
          data: cdrOf(bodyOf(channel, block.boot, frame, sensors)),
        });
      }
    }
    return messages;
  }
}

interface Heard {
  readonly frame: TapedFrame;
  readonly sensors: Sensors;
}

function framesOf(block: TapeBlock): Heard[] {
  const frames: Heard[] = [];
  try {
    for (const record of readRecords(block.records)) {
      if (record.is !== 'chunk') continue;
      for (const frame of record.frames) frames.push({ frame, sensors: sensorsOf(frame.payload) });
    }
  } catch (error) {
    if (!(error instanceof TapeDamage)) throw error;
  }
  return frames;
}

function bodyOf({ layout, bytes }: Open, boot: bigint, frame: TapedFrame, sensors: Sensors): Uint8Array {
  const body = new Uint8Array(bytes);
  const view = new DataView(body.buffer);
  view.setBigUint64(0, boot, true);
  view.setBigUint64(8, BigInt(frame.sequence), true);
  view.setBigUint64(16, BigInt(frame.mcuTimeUs), true);
  view.setBigUint64(24, frame.arrivedNs, true);
  let at = STAMP_BYTES;
  for (const { type, of } of layout.fields) {
    const value = of(sensors);
    for (const number of Array.isArray(value) ? value : [Number(value)]) {
      if (type === 'float64') view.setFloat64(at, number, true);
      else if (type === 'float32') view.setFloat32(at, number, true);
      else if (type === 'uint16') view.setUint16(at, number, true);
      else view.setUint8(at, number);
      at += SIZE[type];
    }
  }
  return body;
}
