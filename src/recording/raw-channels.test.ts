import { parse } from '@foxglove/rosmsg';
import { MessageReader } from '@foxglove/rosmsg2-serialization';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RAW_SENSORS } from '../messages/config.ts';
import { writeRecords } from '../messages/tape.testing.ts';
import type { TapedFrame } from '../messages/tape.ts';
import { sensorsOf } from '../messages/tape.ts';
import { MAX_PAYLOAD, McuStateValue, PAYLOAD_SIZE } from '../protocol/messages.gen.ts';
import { RawChannels } from './raw-channels.ts';
import { BOOT } from './rows.testing.ts';

/** Any bytes that are a sensor frame. */
const anyPayload = fc
  .uint8Array({ minLength: PAYLOAD_SIZE.sensors, maxLength: PAYLOAD_SIZE.sensors })
  .filter((payload) => {
    try {
      sensorsOf(payload);
      return true;
    } catch {
      return false;
    }
  });

const frameOf = (payload: Uint8Array, index: number): TapedFrame => ({
  payload,
  sequence: 70_000 + index,
  mcuTimeUs: 5_000_000_000 + 5000 * index,
  arrivedNs: 9_000_000_000n + 5_000_000n * BigInt(index),
  lost: 0,
  first: index === 0,
  superseded: false,
});

const blockOf = (payloads: readonly Uint8Array[], cut = 0) => {
  const records = writeRecords(payloads.map((payload, index) => ({ is: 'chunk', frames: [frameOf(payload, index)] })));
  return {
    boot: BOOT,
    number: 3n,
    wallNs: 1_700_000_000_000_000_000n,
    sequence: 70_000n,
    records: records.subarray(0, records.length - cut),
  };
};

const readerOf = (raw: RawChannels, channelId: number) => {
  const channel = raw.channels.find(({ id }) => id === channelId);
  const schema = raw.schemas.find(({ id }) => id === channel?.schemaId);
  const reader = new MessageReader<Record<string, unknown>>(
    parse(new TextDecoder().decode(schema?.data), { ros2: true }),
  );
  return { topic: channel?.topic, reader };
};

const plain = (value: unknown) => (ArrayBuffer.isView(value) ? Array.from(value as Float64Array) : value);
const f32 = (values: readonly number[]) => Array.from(Float32Array.from(values));

describe('raw channels', () => {
  it('say what each frame said, as a stranger reads it', () => {
    fc.assert(
      fc.property(fc.array(anyPayload, { minLength: 1, maxLength: 5 }), (payloads) => {
        const raw = new RawChannels(RAW_SENSORS);
        const messages = raw.messagesOf(blockOf(payloads));
        expect(messages).toHaveLength(RAW_SENSORS.length * payloads.length);
        for (const [index, message] of messages.entries()) {
          const frame = Math.floor(index / RAW_SENSORS.length);
          const sensors = sensorsOf(payloads[frame] ?? new Uint8Array());
          const { topic, reader } = readerOf(raw, message.channelId);
          const theirs = Object.fromEntries(
            Object.entries(reader.readMessage(message.data)).map(([key, value]) => [key, plain(value)]),
          );
          expect(reader.lastReadByteLength()).toBe(message.data.length);
          const expected = {
            '/raw/imu': {
              angular_velocity: f32(sensors.gyro),
              acceleration: f32(sensors.acceleration),
              attitude: f32(sensors.attitude),
              has_attitude: Number(sensors.hasAttitude),
            },
            '/raw/wheels': {
              position: [...sensors.wheelPosition],
              velocity: f32(sensors.wheelVelocity),
              torque_applied: f32(sensors.wheelTorqueApplied),
              torque_measured: f32(sensors.wheelTorqueMeasured),
              has_torque_measured: Number(sensors.hasWheelTorque),
            },
            '/raw/joints': {
              position: f32(sensors.legPosition),
              velocity: f32(sensors.legVelocity),
              torque: f32(sensors.legTorque),
              has_joints: Number(sensors.hasLegs),
            },
            '/raw/board': {
              battery: sensors.battery,
              temperature: sensors.temperature,
              faults: sensors.faults,
              answered: sensors.answered,
              state: McuStateValue[sensors.state],
              command_fresh: Number(sensors.commandFresh),
            },
          }[topic ?? ''];
          expect(theirs).toEqual({
            boot: BOOT,
            sequence: BigInt(70_000 + frame),
            mcu_time_us: BigInt(5_000_000_000 + 5000 * frame),
            monotonic_ns: 9_000_000_000n + 5_000_000n * BigInt(frame),
            ...expected,
          });
        }
      }),
      { numRuns: 50 },
    );
  });

  const payload = new Uint8Array(MAX_PAYLOAD).subarray(0, PAYLOAD_SIZE.sensors);

  it('have the time of the wall clock as the rows have it', () => {
    const raw = new RawChannels(['imu']);
    const guessed = raw.messagesOf(blockOf([payload, payload]));
    expect(guessed.map(({ logTime }) => logTime)).toEqual([1_699_999_999_995_000_000n, 1_700_000_000_000_000_000n]);
    const key = { sequence: 1n, boot: BOOT, task: 'standing-still' as const, ends: false, stopped: false };
    raw.row({ ...key, wallNs: 1_800_000_000_000_000_000n, monotonicNs: 9_000_000_000n });
    expect(raw.messagesOf(blockOf([payload])).map(({ logTime }) => logTime)).toEqual([1_800_000_000_000_000_000n]);
    raw.row({ ...key, boot: 1n, wallNs: 5n, monotonicNs: 4n });
    expect(raw.messagesOf(blockOf([payload])).map(({ logTime }) => logTime)).toEqual([1_700_000_000_000_000_000n]);
  });

  it('are only those that are wanted, with the ids that they always have', () => {
    const two = new RawChannels(['joints', 'imu', 'imu']);
    expect(two.channels.map(({ id, topic }) => [id, topic])).toEqual([
      [16, '/raw/imu'],
      [18, '/raw/joints'],
    ]);
    expect(new RawChannels([]).messagesOf(blockOf([payload]))).toEqual([]);
  });

  it('end where a block cannot be read', () => {
    const raw = new RawChannels(['imu']);
    expect(raw.messagesOf(blockOf([payload, payload], 3))).toHaveLength(1);
    expect(raw.messagesOf({ ...blockOf([]), records: Uint8Array.of(99, 1, 2) })).toEqual([]);
  });
});
