import { describe, expect, test } from 'vitest';
import { plainFrame, type RawFrame, stuffed, wireFrame } from '../../firmware-protocol/generate/reference-framing.ts';
import { FrameDecoder, type LinkCounters } from './frame.ts';
import { noCounts } from './link-counters.ts';
import { MAX_PAYLOAD, MessageType, PAYLOAD_SIZE } from './messages.gen.ts';

const zeros = (length: number): number[] => Array.from({ length }, () => 0);
const ones = (length: number): number[] => Array.from({ length }, () => 1);
const sensors = (sequence: number, change: Partial<RawFrame> = {}): RawFrame => ({
  type: MessageType.sensors,
  sequence,
  payload: zeros(PAYLOAD_SIZE.sensors),
  ...change,
});
const flipped = (bytes: number[], at: number): number[] => bytes.map((byte, i) => (i === at ? byte ^ 0x10 : byte));

/** One of each kind; all but the first four are intact and differ from a good frame in one thing. */
const BAD: [keyof LinkCounters, string, number[]][] = [
  ['oversized', 'one byte longer than any frame', [...ones(MAX_PAYLOAD + 11 + 2), 0]],
  ['oversized', 'very long', [...ones(100_000), 0]],
  ['oversized', 'with a good frame at its end', [...ones(1000), ...wireFrame(sensors(1))]],
  ['malformed', 'a block runs past the end', [5, 1, 2, 0]],
  ['malformed', 'a good frame that lost its last byte', [...wireFrame(sensors(1)).slice(0, -2), 0]],
  ['truncated', 'no room for header and CRC', stuffed(plainFrame(sensors(1, { payload: [] })).slice(0, 10))],
  ['truncated', 'one byte', [1, 0]],
  ['corrupted', 'a bit of the CRC flipped', stuffed(flipped(plainFrame(sensors(1)), 7 + PAYLOAD_SIZE.sensors))],
  ['corrupted', 'a bit of the type flipped', stuffed(flipped(plainFrame(sensors(1)), 0))],
  ['corrupted', 'a bit of the payload flipped', stuffed(flipped(plainFrame(sensors(1)), 20))],
  ['unknownType', 'type 0', wireFrame(sensors(1, { type: 0 }))],
  ['unknownType', 'type 0x7f', wireFrame(sensors(1, { type: 0x7f }))],
  [
    'wrongDirection',
    'a command from the MCU',
    wireFrame({ type: MessageType.command, sequence: 1, payload: zeros(45) }),
  ],
  ['wrongDirection', 'an estop from the MCU', wireFrame({ type: MessageType.estop, sequence: 1, payload: [0] })],
  ['wrongLength', 'no payload at all', wireFrame(sensors(1, { payload: [] }))],
  ['wrongLength', 'one byte short', wireFrame(sensors(1, { payload: zeros(PAYLOAD_SIZE.sensors - 1) }))],
  ['wrongLength', 'one byte long', wireFrame(sensors(1, { payload: zeros(PAYLOAD_SIZE.sensors + 1) }))],
  ['wrongLength', 'as long as a frame may be', wireFrame(sensors(1, { payload: ones(MAX_PAYLOAD) }))],
  ['unknownValue', 'state 7', wireFrame(sensors(1, { payload: [7, ...zeros(PAYLOAD_SIZE.sensors - 1)] }))],
  ['duplicated', 'the frame before once more', wireFrame(sensors(0))],
  ['duplicated', 'the sequence of the frame before', wireFrame(sensors(0, { payload: ones(PAYLOAD_SIZE.sensors) }))],
  ['outOfOrder', 'one older', wireFrame(sensors(65535))],
  ['outOfOrder', 'half the circle away', wireFrame(sensors(32768))],
];

describe.each(BAD)('%s: %s', (name, _, bad) => {
  const stream = Uint8Array.from([
    ...wireFrame(sensors(0, { time: 7 })),
    ...bad,
    ...wireFrame(sensors(1, { time: 8 })),
  ]);

  test('is counted under its own name and changes nothing else', () => {
    const decoder = new FrameDecoder({ from: 'mcu' });
    const frames = decoder.push(stream);
    expect(frames.map(({ kind, sequence, time, lost }) => ({ kind, sequence, time, lost }))).toEqual([
      { kind: 'sensors', sequence: 0, time: 7, lost: 0 },
      { kind: 'sensors', sequence: 1, time: 8, lost: 0 },
    ]);
    expect(decoder.counters).toEqual({ ...noCounts(), accepted: 2, [name]: 1 });
  });

  test('is so byte by byte too', () => {
    const decoder = new FrameDecoder({ from: 'mcu' });
    const frames = [...stream].flatMap((byte) => decoder.push(Uint8Array.of(byte)));
    expect(frames.map(({ sequence }) => sequence)).toEqual([0, 1]);
    expect(decoder.counters).toEqual({ ...noCounts(), accepted: 2, [name]: 1 });
  });
});

test('every kind of bad frame is in the table above', () => {
  const other = ['accepted', 'lost', 'resynchronised'];
  expect(new Set([...BAD.map(([name]) => name), ...other])).toEqual(new Set(Object.keys(noCounts())));
});

test('empty frames are no frames', () => {
  const decoder = new FrameDecoder();
  expect(decoder.push(Uint8Array.from(zeros(1000)))).toEqual([]);
  expect(decoder.counters).toEqual(noCounts());
});

test('the longest frame is not oversized', () => {
  const decoder = new FrameDecoder();
  decoder.push(Uint8Array.from(wireFrame(sensors(0, { payload: ones(MAX_PAYLOAD) }))));
  expect(decoder.counters).toEqual({ ...noCounts(), wrongLength: 1 });
});

test('the host is not to send what the MCU sends', () => {
  const decoder = new FrameDecoder({ from: 'host' });
  decoder.push(Uint8Array.from(wireFrame(sensors(0))));
  expect(decoder.counters).toEqual({ ...noCounts(), wrongDirection: 1 });
});

test('without a direction both are taken', () => {
  const decoder = new FrameDecoder();
  const estop = wireFrame({ type: MessageType.estop, sequence: 0, payload: [0] });
  expect(decoder.push(Uint8Array.from([...wireFrame(sensors(0)), ...estop]))).toHaveLength(2);
});
