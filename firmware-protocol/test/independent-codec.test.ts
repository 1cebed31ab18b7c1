import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Frame, FrameDecoder, FrameEncoder } from '../../src/protocol/frame.ts';
import { Faults, faultNames, type Message } from '../../src/protocol/messages.gen.ts';
import { arbitraryStream, messageFrom, type Sender } from './arbitrary-stream.ts';
import { IndependentProgram, type Line, pythonIsMissing } from './independent-program.ts';

interface Decoded {
  readonly frames: ReadonlyArray<{
    message: string;
    sequence: number;
    time: number;
    payload: string;
    raw: Line;
    values: Line;
  }>;
  readonly counts: Readonly<Record<string, number>>;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const fromHex = (text: unknown): Uint8Array => Uint8Array.from(Buffer.from(String(text), 'hex'));

/** Physical values, to within what two orders of multiplication differ by. */
const rounded = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(rounded);
  return typeof value === 'number' && !Number.isInteger(value) ? value.toPrecision(12) : value;
};

/** As the page has it: names of faults, not bits; bits without a name are not sent (§2.6). */
const valuesOf = (message: Message): Line => {
  const { kind: _, ...fields } = message;
  return 'faults' in fields ? { ...fields, faults: faultNames(fields.faults) } : fields;
};

const namedFaults = Object.values(Faults).reduce((all, bit) => all | bit, 0);
const withNamedFaults = (message: Message): Message =>
  'faults' in message ? { ...message, faults: message.faults & namedFaults } : message;

const comparable = (kind: string, sequence: number, time: number, values: Line) => ({
  kind,
  sequence,
  time,
  values: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, rounded(value)])),
});
const ours = ({ kind, sequence, time, message }: Frame) => comparable(kind, sequence, time, valuesOf(message));

describe.skipIf(pythonIsMissing)(`two implementations of one page${pythonIsMissing}`, () => {
  let program: IndependentProgram;
  beforeAll(() => {
    program = new IndependentProgram('codec');
  });
  afterAll(() => program.end());

  const decode = async (from: Sender, bytes: Uint8Array) =>
    (await program.ask({ decode: hex(bytes), from })) as unknown as Decoded;

  test.each(['host', 'mcu'] as const)(
    'accept the same frames of what the %s sent, and count the same',
    async (from) => {
      const met = new Set<string>();
      await fc.assert(
        fc.asyncProperty(arbitraryStream(from), async (bytes) => {
          const decoder = new FrameDecoder({ from });
          const frames = decoder.push(bytes);
          const theirs = await decode(from, bytes);
          expect(theirs.frames.map((f) => comparable(f.message, f.sequence, f.time, f.values))).toEqual(
            frames.map(ours),
          );
          const counted = Object.entries(decoder.counters).filter(([, count]) => count > 0);
          expect(theirs.counts).toEqual(Object.fromEntries(counted));
          for (const [name] of counted) met.add(name);
        }),
        { numRuns: 2000 },
      );
      // Each reason came up, or nothing was compared.
      expect([...met].toSorted()).toEqual(Object.keys(new FrameDecoder().counters).toSorted());
    },
  );

  test.each(['host', 'mcu'] as const)('make the same bytes of what the %s says', async (from) => {
    await fc.assert(
      fc.asyncProperty(
        messageFrom(from),
        fc.nat({ max: 65535 }),
        fc.nat({ max: 2 ** 32 - 1 }),
        async (any, sequence, time) => {
          const message = withNamedFaults(any);
          const wire = new FrameEncoder({ firstSequence: sequence }).encode(message, time);
          // The delimiter before it (§2.5) is no part of the frame.
          const frame = wire[0] === 0 ? wire.subarray(1) : wire;
          const words = { message: message.kind, sequence, time };
          const encoded = await program.ask({ encode: { ...words, values: valuesOf(message) } });
          expect(encoded.wire).toBe(hex(frame));
          const [decoded] = (await decode(from, wire)).frames;
          const again = await program.ask({ encode: { ...words, raw: decoded?.raw } });
          expect(again.wire).toBe(hex(frame));
          expect(new FrameDecoder({ from }).push(fromHex(again.wire)).map(ours)).toEqual(
            new FrameDecoder({ from }).push(frame).map(ours),
          );
        },
      ),
      { numRuns: 500 },
    );
  });
});
