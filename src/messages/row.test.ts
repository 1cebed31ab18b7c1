import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyRow } from './row.testing.ts';
import { decodeRow, encodeRow, MAX_OBSERVATION, ROW_BYTES, type Row } from './row.ts';

/** What single precision leaves of a row. */
const rounded = (row: Row): Row => {
  const floats = (values: readonly number[]) => values.map(Math.fround);
  const { fround } = Math;
  return {
    ...row,
    state: floats(row.state),
    nextState: floats(row.nextState),
    observation: floats(row.observation),
    requestedTorque: fround(row.requestedTorque),
    commandedTorque: fround(row.commandedTorque),
    appliedTorque: fround(row.appliedTorque),
    measuredTorque: fround(row.measuredTorque),
    reward: fround(row.reward),
    latencyUs: fround(row.latencyUs),
  };
};

const plain: Row = {
  monotonicNs: 1n,
  wallNs: 2n,
  mcuTimeUs: 3n,
  sequence: 4n,
  boot: 5n,
  policyHash: 6n,
  conditions: 7n,
  dtUs: 8,
  episode: 9,
  step: 10,
  limits: 11,
  state: [12, 13, 14, 15],
  nextState: [16, 17, 18, 19],
  observation: Array.from({ length: MAX_OBSERVATION }, (_, index) => 20 + index),
  requestedTorque: 36,
  commandedTorque: 37,
  appliedTorque: 38,
  measuredTorque: 39,
  reward: 40,
  latencyUs: 41,
  task: 'standing-still',
  robotState: 'disarmed',
  controller: 'none',
  done: false,
  timeout: false,
  measured: false,
};

describe('an encoded row', () => {
  it('comes back with every field as it was, to single precision', () => {
    fc.assert(
      fc.property(anyRow, (row) => {
        expect(decodeRow(encodeRow(row))).toEqual(rounded(row));
      }),
    );
  });

  it('comes back from the middle of other bytes, at any offset', () => {
    fc.assert(
      fc.property(anyRow, fc.nat(9), (row, offset) => {
        const larger = new Uint8Array(ROW_BYTES + 20).fill(0xa5);
        larger.set(encodeRow(row), offset);
        expect(decodeRow(larger.subarray(offset, offset + ROW_BYTES))).toEqual(rounded(row));
      }),
    );
  });

  it('has the fixed layout that other programs read: little-endian, in order, each number aligned to its own size', () => {
    const bytes = encodeRow(plain);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    // 7 u64, 4 u32, 24 + 6 f32, 8 u8: the running number of a field is also its value in `plain`.
    const u64 = Array.from({ length: 7 }, (_, index) => Number(view.getBigUint64(8 * index, true)));
    const u32 = Array.from({ length: 4 }, (_, index) => view.getUint32(56 + 4 * index, true));
    const f32 = Array.from({ length: 30 }, (_, index) => view.getFloat32(72 + 4 * index, true));
    expect([...u64, ...u32, ...f32]).toEqual(Array.from({ length: 41 }, (_, index) => index + 1));
    expect([...bytes.subarray(192)]).toEqual([2, 0, 0, 0, 0, 0, MAX_OBSERVATION, 0]);
    expect(bytes.length).toBe(200);
    expect(ROW_BYTES).toBe(200);
  });

  it('gives the bytes of an observation that is not there no value', () => {
    const bytes = encodeRow({ ...plain, observation: [1] });
    expect([...bytes.subarray(108, 168)].every((byte) => byte === 0)).toBe(true);
    expect(decodeRow(bytes)?.observation).toEqual([1]);
  });
});

describe('bytes that are no row', () => {
  it.each([0, 1, ROW_BYTES - 1, ROW_BYTES + 1, 2 * ROW_BYTES])('are not taken when there are %i of them', (length) => {
    const bytes = new Uint8Array(length);
    bytes.set(encodeRow(plain).subarray(0, length));
    expect(decodeRow(bytes)).toBeUndefined();
  });

  it.each([
    ['another layout', 192, 1],
    ['a task that does not exist', 193, 2],
    ['a robot state that does not exist', 194, 5],
    ['a controller that does not exist', 195, 3],
    ['an observation longer than there is room for', 198, MAX_OBSERVATION + 1],
  ])('are not taken when they name %s', (_what, offset, value) => {
    const bytes = encodeRow(plain);
    expect(decodeRow(bytes)).toBeDefined();
    bytes[offset] = value;
    expect(decodeRow(bytes)).toBeUndefined();
  });

  it('never make the decoder throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: ROW_BYTES, maxLength: ROW_BYTES }), (bytes) => {
        expect(() => decodeRow(bytes)).not.toThrow();
      }),
    );
  });
});
