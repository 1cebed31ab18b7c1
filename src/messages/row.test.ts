import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyRow } from './row.testing.ts';
import { decodeRow, encodeRow, OBSERVATION_FIELD, ROW_BYTES, ROW_JOINTS, type Row } from './row.ts';

/** What single precision leaves of a row. */
const rounded = (row: Row): Row => {
  const floats = (values: readonly number[]) => values.map(Math.fround);
  const { fround } = Math;
  return {
    ...row,
    state: floats(row.state),
    nextState: floats(row.nextState),
    observation: floats(row.observation),
    ...(row.joints && { joints: floats(row.joints) }),
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
  observation: Array.from({ length: OBSERVATION_FIELD }, (_, index) => 20 + index),
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
        const bytes = encodeRow(row);
        const larger = new Uint8Array(bytes.length + 20).fill(0xa5);
        larger.set(bytes, offset);
        expect(decodeRow(larger.subarray(offset, offset + bytes.length))).toEqual(rounded(row));
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
    // Then two lists of nothing.
    expect([...bytes.subarray(192)]).toEqual([3, 0, 0, 0, 0, 0, OBSERVATION_FIELD, 0, ...Array(8).fill(0)]);
    expect(bytes.length).toBe(208);
    expect(ROW_BYTES).toBe(208);
  });

  it('has the rest of a long observation and the joints behind its fields', () => {
    const observation = Array.from({ length: 22 }, (_, index) => 20 + index);
    const joints = Array.from({ length: ROW_JOINTS }, (_, index) => 100 + index);
    const bytes = encodeRow({ ...plain, observation, joints });
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    expect(bytes.length).toBe(208 + 4 * (6 + ROW_JOINTS));
    expect([view.getUint32(200, true), view.getUint32(204 + 4 * 6, true)]).toEqual([6, ROW_JOINTS]);
    expect([view.getFloat32(204, true), view.getFloat32(208 + 4 * 6, true)]).toEqual([36, 100]);
    expect(decodeRow(bytes)).toEqual({ ...plain, observation, joints });
    for (const [offset, value] of [
      [200, 5],
      [200, 0xffffffff],
      [204 + 4 * 6, 17],
      [198, 23],
    ] as const) {
      const wrong = bytes.slice();
      if (offset === 198) wrong[offset] = value;
      else new DataView(wrong.buffer).setUint32(offset, value, true);
      expect(decodeRow(wrong), `${value} at ${offset}`).toBeUndefined();
    }
  });

  it('of the layout before, which has no lists, is still read', () => {
    fc.assert(
      fc.property(anyRow, (any) => {
        const { joints: _, ...short } = any;
        const row = { ...short, observation: any.observation.slice(0, OBSERVATION_FIELD) };
        const bytes = encodeRow(row).slice(0, 200);
        bytes[192] = 2;
        expect(decodeRow(bytes)).toEqual(rounded(row));
        bytes[198] = OBSERVATION_FIELD + 1;
        expect(decodeRow(bytes)).toBeUndefined();
      }),
    );
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
    ['an observation longer than there is room for', 198, OBSERVATION_FIELD + 1],
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
