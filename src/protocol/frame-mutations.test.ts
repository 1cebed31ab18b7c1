import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { intactFrames } from '../../firmware-protocol/generate/reference-framing.ts';
import { anyMessage } from '../../firmware-protocol/test/arbitrary-message.ts';
import { type Frame, FrameDecoder, FrameEncoder } from './frame.ts';
import { MessageType } from './messages.gen.ts';
import { Unwrapper } from './unwrap.ts';

/** Frames of one sender, near the wrap of the sequence. */
const sent = fc
  .record({
    messages: fc.array(anyMessage, { minLength: 1, maxLength: 12 }),
    first: fc.integer({ min: 65525, max: 65540 }),
  })
  .map(({ messages, first }) => {
    const encoder = new FrameEncoder({ firstSequence: first });
    return messages.map((message, i) => encoder.encode(message, i));
  });

type Mutation = (frames: Uint8Array[], at: number, value: number) => number[];
const join = (frames: readonly Uint8Array[]): number[] => frames.flatMap((frame) => [...frame]);
const MUTATIONS: Record<string, Mutation> = {
  flip: (frames, at, value) =>
    join(frames).map((byte, i, all) => (i === at % all.length ? byte ^ (1 << (value % 8)) : byte)),
  overwrite: (frames, at, value) => join(frames).map((byte, i, all) => (i === at % all.length ? value : byte)),
  truncate: (frames, at, value) => join(frames).toSpliced(at % join(frames).length, value),
  insert: (frames, at, value) => join(frames).toSpliced(at % join(frames).length, 0, value),
  duplicate: (frames, at) => join(frames.flatMap((frame, i) => (i === at % frames.length ? [frame, frame] : [frame]))),
  swap: (frames, at) => {
    const i = at % frames.length;
    const [frame] = frames.slice(i);
    return join(frame ? frames.toSpliced(i, 1).toSpliced((i + 1) % frames.length, 0, frame) : frames);
  },
  drop: (frames, at) => join(frames.toSpliced(at % frames.length, 1)),
};

const noise = fc.uint8Array({ maxLength: 300 }).map((bytes) => [...bytes]);
const mutated = fc
  .record({
    frames: sent,
    at: fc.nat({ max: 4095 }),
    value: fc.nat({ max: 255 }),
    name: fc.constantFrom(...Object.keys(MUTATIONS)),
  })
  .map(({ frames, at, value, name }) => MUTATIONS[name]?.(frames, at, value) ?? []);
/** Noise, good frames and spoilt ones, in any order. */
const line = fc
  .array(fc.oneof(noise, mutated, sent.map(join)), { minLength: 1, maxLength: 6 })
  .map((parts) => parts.flat());

const header = ({ kind, sequence, time }: Frame): [number, number, number] => [MessageType[kind], sequence, time];
const headerOf = (plain: number[]): [number, number, number] => {
  const view = new DataView(Uint8Array.from(plain).buffer);
  return [view.getUint8(0), view.getUint16(1, true), view.getUint32(3, true)];
};

/** Cuts bytes into portions of the given sizes, over and over. */
function portions(bytes: Uint8Array, sizes: number[]): Uint8Array[] {
  const cut: Uint8Array[] = [];
  for (let from = 0, i = 0; from < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    cut.push(bytes.subarray(from, from + size));
    from += size;
  }
  return cut;
}

describe('whatever is on the line', () => {
  test('every accepted frame has a CRC that a second implementation finds right, in order', () => {
    fc.assert(
      fc.property(line, (bytes) => {
        const accepted = new FrameDecoder().push(Uint8Array.from(bytes)).map(header);
        const intact = intactFrames(bytes).map(headerOf);
        let from = 0;
        for (const frame of accepted) {
          const at = intact.findIndex((other, i) => i >= from && other.every((value, j) => value === frame[j]));
          expect(at).toBeGreaterThanOrEqual(from);
          from = at + 1;
        }
      }),
      { numRuns: 500 },
    );
  });

  test('every intact frame is accepted or counted', () => {
    fc.assert(
      fc.property(line, (bytes) => {
        const decoder = new FrameDecoder();
        const frames = decoder.push(Uint8Array.from(bytes));
        const { accepted, unknownType, wrongLength, unknownValue, duplicated, outOfOrder } = decoder.counters;
        expect(accepted).toBe(frames.length);
        const judged = accepted + unknownType + wrongLength + unknownValue + duplicated + outOfOrder;
        expect(judged).toBe(intactFrames(bytes).length);
      }),
      { numRuns: 500 },
    );
  });

  test('portions do not matter', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 10 });
    fc.assert(
      fc.property(line, sizes, (bytes, cut) => {
        const all = Uint8Array.from(bytes);
        const whole = new FrameDecoder();
        const cutUp = new FrameDecoder();
        const expected = whole.push(all);
        expect(portions(all, cut).flatMap((portion) => cutUp.push(portion))).toEqual(expected);
        expect(cutUp.counters).toEqual(whole.counters);
      }),
    );
  });

  test('a good frame after it is accepted as soon as one 0x00 came', () => {
    fc.assert(
      fc.property(line, (bytes) => {
        const decoder = new FrameDecoder();
        decoder.push(Uint8Array.from([...bytes, 0]));
        const frames = decoder.push(new FrameEncoder().encode({ kind: 'estop', reason: 3 }, 0));
        expect(frames).toMatchObject([{ message: { kind: 'estop', reason: 3 } }]);
      }),
    );
  });
});

describe('one mutation of a good stream', () => {
  const untouched = (frames: Uint8Array[]): Frame[] => new FrameDecoder().push(Uint8Array.from(join(frames)));
  const same = (a: Frame, b: Frame) => String(header(a)) === String(header(b));

  test('without one, all is accepted and nothing counted', () => {
    fc.assert(
      fc.property(sent, (frames) => {
        const decoder = new FrameDecoder();
        expect(decoder.push(Uint8Array.from(join(frames)))).toHaveLength(frames.length);
        expect(decoder.counters).toMatchObject({ accepted: frames.length, lost: 0, corrupted: 0 });
      }),
    );
  });

  test.each(Object.entries(MUTATIONS))('%s: accepts nothing that was not sent, as it was sent', (_, mutate) => {
    fc.assert(
      fc.property(sent, fc.nat({ max: 4095 }), fc.nat({ max: 255 }), (frames, at, value) => {
        const original = untouched(frames);
        for (const frame of new FrameDecoder().push(Uint8Array.from(mutate(frames, at, value)))) {
          expect(original.find((other) => same(frame, other))?.message).toEqual(frame.message);
        }
      }),
      { numRuns: 300 },
    );
  });

  test.each(['flip', 'overwrite', 'insert'])('%s: spoils two frames at most', (name) => {
    fc.assert(
      fc.property(sent, fc.nat({ max: 4095 }), fc.nat({ max: 255 }), (frames, at, value) => {
        const decoder = new FrameDecoder();
        const left = decoder.push(Uint8Array.from([...(MUTATIONS[name]?.(frames, at, value) ?? []), 0]));
        // a delimiter that is gone joins two frames; no other byte touches more than its own
        expect(left.length).toBeGreaterThanOrEqual(frames.length - 2);
        const { oversized, malformed, truncated, corrupted } = decoder.counters;
        if (left.length < frames.length) expect(oversized + malformed + truncated + corrupted).toBeGreaterThan(0);
      }),
      { numRuns: 300 },
    );
  });
});

test('time from the wire goes on across 2^32 once unwrapped', () => {
  const encoder = new FrameEncoder();
  const decoder = new FrameDecoder();
  const unwrapper = new Unwrapper(32);
  const start = 2 ** 32 - 12_000;
  const times = Array.from({ length: 6 }, (_, i) => start + 5000 * i);
  const frames = times.flatMap((time) => decoder.push(encoder.encode({ kind: 'estop', reason: 0 }, time)));
  expect(frames.map(({ time }) => unwrapper.next(time))).toEqual(times);
});
