import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FrameDecoder, FrameEncoder } from '../../src/protocol/frame.ts';
import { type Message, MessageType } from '../../src/protocol/messages.gen.ts';
import { readProtocol } from '../generate/schema.ts';
import type { Vectors } from '../generate/vectors.ts';

/** The TypeScript end against the golden vectors; the C end is held to them in c-library.test.ts. */

const { frames, streams }: Vectors = JSON.parse(readFileSync(new URL('../vectors.json', import.meta.url), 'utf8'));
const bytesOf = (hex: string): Uint8Array => Buffer.from(hex, 'hex');

describe.each(frames)('$name from the $from', (vector) => {
  const message = { kind: vector.message, ...vector.values } as unknown as Message;

  test('encodes to its bytes', () => {
    const encoder = new FrameEncoder({ firstSequence: vector.sequence });
    const wire = Buffer.from(encoder.encode(message, vector.time)).toString('hex');
    expect(wire).toBe(vector.wire);
  });

  test('decodes to its values', () => {
    const [frame] = new FrameDecoder({ from: vector.from }).push(bytesOf(vector.wire));
    expect(frame).toMatchObject({ kind: vector.message, sequence: vector.sequence, time: vector.time });
    expect(frame?.message).toEqual(message);
  });
});

test.each(streams)('$clause: $name', (vector) => {
  const decoder = new FrameDecoder({ from: vector.from });
  const accepted = decoder
    .push(bytesOf(vector.wire))
    .map(({ kind, sequence }) => ({ type: MessageType[kind], sequence }));
  expect(accepted).toEqual(vector.accepts);
  const counts = Object.fromEntries(Object.entries(decoder.counters).filter(([, count]) => count > 0));
  expect(counts).toEqual(vector.counts);
});

test('there is a stream for every counter and a frame for every message', () => {
  const counted = new Set(streams.flatMap(({ counts }) => Object.keys(counts)));
  expect([...counted].sort()).toEqual(Object.keys(new FrameDecoder().counters).sort());
  expect(new Set(frames.map(({ message }) => message))).toEqual(new Set(Object.keys(readProtocol().messages)));
});
