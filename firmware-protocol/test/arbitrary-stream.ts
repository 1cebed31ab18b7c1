import fc from 'fast-check';
import { FrameEncoder } from '../../src/protocol/frame.ts';
import { DIRECTION, type Message, MessageType, PAYLOAD_SIZE } from '../../src/protocol/messages.gen.ts';
import { stuffed, wireFrame } from '../generate/reference-framing.ts';
import { arbitraryMessage, messageKinds } from './arbitrary-message.ts';

/** For tests: what a receiver may meet on its line: good frames, frames that are wrong in one thing each, spoilt ones, noise. */

export type Sender = 'host' | 'mcu';

/** Where sequences go on, jump, repeat and start anew; around the wrap. */
const sequences = fc
  .array(
    fc.record({
      start: fc.oneof(fc.integer({ min: 65520, max: 65550 }), fc.nat({ max: 65535 })),
      length: fc.integer({ min: 1, max: 10 }),
      step: fc.constantFrom(1, 1, 1, 0, 2, -1),
    }),
    { minLength: 1, maxLength: 4 },
  )
  .map((runs) => runs.flatMap(({ start, length, step }) => Array.from({ length }, (_, i) => start + i * step)))
  .map((all) => all.map((sequence) => ((sequence % 65536) + 65536) % 65536));

const types = Object.values(MessageType);
const sizeOfType = new Map(messageKinds.map((kind) => [MessageType[kind] as number, PAYLOAD_SIZE[kind]]));

/** Intact frames of any type, mostly of the right length; the bytes of the payload are anything, mostly small. */
const rawFrames = fc
  .record({
    sequences,
    type: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...types) }, fc.nat({ max: 255 })),
    longer: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.integer({ min: -5, max: 40 })),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 96 }),
    modulus: fc.constantFrom(1, 4, 8, 256),
    time: fc.nat({ max: 2 ** 32 - 1 }),
  })
  .map(({ sequences, type, longer, bytes, modulus, time }) => {
    const size = Math.min(96, Math.max(0, (sizeOfType.get(type) ?? 8) + longer));
    const payload = Array.from({ length: size }, (_, i) => (bytes[i % bytes.length] ?? 0) % modulus);
    return sequences.map((sequence) => wireFrame({ type, sequence, time, payload }));
  });

/** A sender that counts anew, or gives up just before it is believed; one frame of it may be late. */
const restarts = (from: Sender): fc.Arbitrary<number[]> =>
  fc
    .record({
      type: fc.constantFrom(...(from === 'host' ? [MessageType.command, MessageType.clear] : [MessageType.sensors])),
      first: fc.nat({ max: 65535 }),
      back: fc.integer({ min: 1, max: 32768 }),
      length: fc.integer({ min: 6, max: 10 }),
      late: fc.nat({ max: 30 }),
    })
    .map(({ type, first, back, length, late }) => {
      const anew = Array.from({ length }, (_, i) => first - back + i);
      const sequences = [first, ...anew.toSpliced(late, late < length ? 1 : 0)];
      const payload = Array.from({ length: sizeOfType.get(type) ?? 0 }, () => 0);
      return sequences.flatMap((each) => wireFrame({ type, sequence: each & 0xffff, payload }));
    });

/** Around the shortest and the longest frame that there may be. */
const tooShort = fc.uint8Array({ minLength: 0, maxLength: 11 }).map((bytes) => stuffed([...bytes]));
const tooLong = fc.integer({ min: 105, max: 112 }).map((length) => [...Array.from({ length }, () => 1), 0]);

/** What one end sends in good order. */
export const goodFrames = (from: Sender): fc.Arbitrary<number[][]> =>
  fc
    .record({
      messages: fc.array(messageFrom(from), { minLength: 1, maxLength: 8 }),
      firstSequence: fc.integer({ min: 65525, max: 65540 }),
      time: fc.nat({ max: 2 ** 32 - 1 }),
    })
    .map(({ messages, firstSequence, time }) => {
      const encoder = new FrameEncoder({ firstSequence });
      return messages.map((message) => [...encoder.encode(message, time)]);
    });

export const messageFrom = (from: Sender): fc.Arbitrary<Message> =>
  fc.oneof(
    ...messageKinds
      .filter((kind) => DIRECTION[kind] === 'both' || DIRECTION[kind].startsWith(from))
      .map((kind) => arbitraryMessage(kind)),
  );

/** One place of the bytes damaged. */
const spoilt = (bytes: fc.Arbitrary<number[]>): fc.Arbitrary<number[]> =>
  fc
    .record({ bytes, at: fc.nat(), value: fc.nat({ max: 255 }), how: fc.constantFrom('replace', 'insert', 'remove') })
    .map(({ bytes, at, value, how }) => {
      const place = at % (bytes.length || 1);
      if (how === 'insert') return bytes.toSpliced(place, 0, value);
      return how === 'remove' ? bytes.toSpliced(place, 1 + (value % 4)) : bytes.toSpliced(place, 1, value);
    });

/** Bytes from one end, with everything that can go wrong on the way. */
export function arbitraryStream(from: Sender): fc.Arbitrary<Uint8Array> {
  const good = goodFrames(from).map((frames) => frames.flat());
  const raw = rawFrames.map((frames) => frames.flat());
  const noise = fc.uint8Array({ maxLength: 250 }).map((bytes) => [...bytes]);
  return fc
    .array(
      fc.oneof(
        { weight: 4, arbitrary: raw },
        good,
        spoilt(good),
        spoilt(raw),
        restarts(from),
        tooShort,
        tooLong,
        noise,
      ),
      { minLength: 1, maxLength: 6 },
    )
    .map((parts) => Uint8Array.from(parts.flat()));
}
