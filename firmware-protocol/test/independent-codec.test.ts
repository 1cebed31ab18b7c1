import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Frame, FrameDecoder, FrameEncoder } from '../../src/protocol/frame.ts';
import { Faults, type Message } from '../../src/protocol/messages.gen.ts';
import { clocks, TURN } from './arbitrary-clocks.ts';
import { arbitraryMessage } from './arbitrary-message.ts';
import { arbitraryStream, messageFrom, type Sender } from './arbitrary-stream.ts';
import { checkVectors, IndependentProgram, type Line, pythonIsMissing } from './independent-program.ts';

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

const valuesOf = ({ kind: _, ...fields }: Message): Line => fields;

/** Bits without a name are not sent (§2.6). */
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
          const words = { message: message.kind, sequence, time };
          const encoded = await program.ask({ encode: { ...words, values: valuesOf(message) } });
          expect(encoded.wire).toBe(hex(wire));
          const [decoded] = (await decode(from, wire)).frames;
          const again = await program.ask({ encode: { ...words, raw: decoded?.raw } });
          expect(again.wire).toBe(hex(wire));
          expect(new FrameDecoder({ from }).push(fromHex(again.wire)).map(ours)).toEqual(
            new FrameDecoder({ from }).push(wire).map(ours),
          );
        },
      ),
      { numRuns: 500 },
    );
  });

  test('know the true offset of two clocks to within what they say of it (§10)', async () => {
    await fc.assert(
      fc.asyncProperty(clocks, async ({ start, offset, drift, commands }) => {
        const hostAt = (time: number) => Math.round(time + offset + drift * (time - start));
        let now = start;
        let shortest = Number.POSITIVE_INFINITY;
        const exchanges = commands.map(({ pause, there, back }) => {
          const sampled = now + pause;
          now = sampled + there + back;
          shortest = Math.min(shortest, there + back);
          return [hostAt(sampled + there), sampled, now].map((time) => time % TURN);
        });
        const { clock } = await program.ask({ clock: exchanges });
        const { offset: said, uncertainty } = clock as { offset: number; uncertainty: number };
        // Both modulo 2^32, their difference signed.
        const error = ((((hostAt(now) - now - said) % TURN) + 1.5 * TURN) % TURN) - TURN / 2;
        // The drift within one exchange, and what integers round away.
        expect(Math.abs(error)).toBeLessThanOrEqual(uncertainty + 15);
        expect(uncertainty).toBeLessThanOrEqual(shortest / 2 + (now - start) / 5000 + 2);
      }),
    );
  });

  test('let clocks drift that are compared more often than they differ by 1 µs (§10.4)', async () => {
    const often = Array.from({ length: 99 }, (_, i) => [4000 * (i + 1) + 500, 4000 * (i + 1), 4000 * (i + 1) + 1000]);
    const { clock } = await program.ask({ clock: [[0, 0, 0], ...often] });
    const { uncertainty } = clock as { uncertainty: number };
    expect(Math.abs(uncertainty - (99 * 4000) / 5000)).toBeLessThanOrEqual(1);
  });

  test('cut a name at a whole character (§2.6)', async () => {
    const name = fc.string({ unit: 'binary', maxLength: 30 }).filter((text) => !text.includes('\0'));
    await fc.assert(
      fc.asyncProperty(arbitraryMessage('hello'), name, name, async (hello, first, second) => {
        const message = { ...hello, name: first, revision: second } as Message;
        const wire = new FrameEncoder().encode(message, 0);
        const words = { message: message.kind, sequence: 0, time: 0, values: valuesOf(message) };
        expect((await program.ask({ encode: words })).wire).toBe(hex(wire));
      }),
    );
  });

  test('reach the verdicts of vectors.json (§12)', () => {
    const { says, code } = checkVectors(fileURLToPath(new URL('../vectors.json', import.meta.url)));
    const { wrong, frames, streams } = JSON.parse(says) as { wrong: string[]; frames: number; streams: number };
    expect(wrong).toEqual([]);
    expect(Math.min(frames, streams)).toBeGreaterThan(0);
    expect(code).toBe(0);
  });
});
