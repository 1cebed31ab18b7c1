import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { resolutionOf } from '../../firmware-protocol/generate/schema.ts';
import {
  arbitraryMessage,
  messageKinds,
  numericFields,
  physicalRange,
} from '../../firmware-protocol/test/arbitrary-message.ts';
import { EdgeError } from '../errors.ts';
import {
  decodePayload,
  encodePayload,
  Faults,
  faultNames,
  MAX_PAYLOAD,
  type Message,
  type MessageKind,
  PAYLOAD_SIZE,
  RESOLUTION,
} from './messages.gen.ts';

const OFFSET = 7; // nothing may depend on where in the buffer the payload lies

function encode(message: Message): DataView {
  const view = new DataView(new ArrayBuffer(OFFSET + MAX_PAYLOAD));
  expect(encodePayload(message, view, OFFSET)).toBe(PAYLOAD_SIZE[message.kind]);
  return view;
}
const roundTrip = (message: Message): Message | undefined => decodePayload(message.kind, encode(message), OFFSET);
const example = (kind: MessageKind): Message =>
  fc.sample(arbitraryMessage(kind), { numRuns: 1, seed: 1 })[0] as Message;
const valuesOf = (message: Message, field: string): number[] =>
  [(message as unknown as Record<string, number | number[]>)[field] ?? Number.NaN].flat();
const withValue = (message: Message, field: string, value: number): Message => ({
  ...message,
  [field]: Array.isArray((message as unknown as Record<string, unknown>)[field])
    ? valuesOf(message, field).map(() => value)
    : value,
});

describe.each(messageKinds)('%s', (kind) => {
  test('decodes to what was encoded: numbers within half a resolution, all else exactly', () => {
    fc.assert(
      fc.property(arbitraryMessage(kind), (message) => {
        const decoded = roundTrip(message);
        if (!decoded) throw new Error('not decoded');
        let same: Message = decoded;
        for (const field of numericFields(kind)) {
          const half = resolutionOf(field) === 1 ? 0 : (resolutionOf(field) / 2) * (1 + 1e-6);
          const sent = valuesOf(message, field.name);
          for (const [i, value] of valuesOf(decoded, field.name).entries()) {
            expect(Math.abs(value - (sent[i] ?? Number.NaN))).toBeLessThanOrEqual(half);
          }
          same = { ...same, [field.name]: (message as unknown as Record<string, unknown>)[field.name] };
        }
        expect(same).toEqual(message);
      }),
    );
  });

  test('a decoded message encodes to the same bytes', () => {
    fc.assert(
      fc.property(arbitraryMessage(kind), (message) => {
        const decoded = roundTrip(message);
        if (!decoded) throw new Error('not decoded');
        expect(new Uint8Array(encode(decoded).buffer)).toEqual(new Uint8Array(encode(message).buffer));
      }),
    );
  });

  test('saturates at both ends and never wraps', () => {
    for (const field of numericFields(kind)) {
      const [min, max] = physicalRange(field);
      for (const [value, end] of [
        [max + resolutionOf(field), max],
        [Number.POSITIVE_INFINITY, max],
        [min - resolutionOf(field), min],
        [Number.NEGATIVE_INFINITY, min],
      ] as const) {
        const decoded = roundTrip(withValue(example(kind), field.name, value));
        for (const got of decoded ? valuesOf(decoded, field.name) : []) expect(got).toBeCloseTo(end, 6);
        expect(decoded).toBeDefined();
      }
    }
  });

  test('refuses NaN by the name of message and field', () => {
    for (const field of numericFields(kind)) {
      const attempt = () => encode(withValue(example(kind), field.name, Number.NaN));
      expect(attempt).toThrow(EdgeError);
      expect(attempt).toThrow(`"${kind}.${field.name}`);
    }
  });

  test('exports the resolution of each field', () => {
    const expected = Object.fromEntries(numericFields(kind).map((field) => [field.name, resolutionOf(field)]));
    expect(RESOLUTION[kind]).toEqual(expected);
  });

  test('decoding never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: PAYLOAD_SIZE[kind], maxLength: PAYLOAD_SIZE[kind] }), (bytes) => {
        decodePayload(kind, new DataView(bytes.buffer), 0);
      }),
    );
  });
});

test('text is cut at a whole character', () => {
  const hello = { ...example('hello'), name: 'wheel-legged-ro€' } as Message;
  expect(roundTrip(hello)).toMatchObject({ name: 'wheel-legged-ro' });
});

test('a byte order mark is a character like any other', () => {
  expect(roundTrip({ ...example('hello'), name: '\uFEFFrobot' } as Message)).toMatchObject({ name: '\uFEFFrobot' });
});

test('shorter text leaves nothing of what was in the buffer before', () => {
  const view = encode({ ...example('hello'), name: 'a-long-robot-nam' } as Message);
  encodePayload({ ...example('hello'), name: 'short' } as Message, view, OFFSET);
  expect(decodePayload('hello', view, OFFSET)).toMatchObject({ name: 'short' });
});

test('an enum value without a name decodes to nothing', () => {
  const view = encode(example('sensors'));
  view.setUint8(OFFSET, 0x07);
  expect(decodePayload('sensors', view, OFFSET)).toBeUndefined();
});

test('an enum name that does not exist is refused, not sent as zero', () => {
  const command = { ...example('command'), requestedState: 'flying' } as unknown as Message;
  expect(() => encode(command)).toThrow('"command.requestedState"');
});

test('faults are named, and bits without a name stay in the number', () => {
  expect(faultNames(Faults.imu | Faults.controlOverrun | 0x8000)).toEqual(['imu', 'controlOverrun']);
  expect(roundTrip({ ...example('fault'), faults: 0x8001 } as Message)).toMatchObject({ faults: 0x8001 });
});
