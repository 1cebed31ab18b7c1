import { describe, expect, test } from 'vitest';
import { type Frame, FrameDecoder, FrameEncoder } from './frame.ts';
import { noCounts } from './link-counters.ts';
import type { Hello, Message } from './messages.gen.ts';

const echo: Message = { kind: 'estopEcho', latch: 1, latchedAt: 0, estopSequence: 0 };
const fault: Message = { kind: 'fault', latch: 1, cause: 'fault', faults: 0, latchedAt: 0 };
const estop: Message = { kind: 'estop', reason: 0 };
const hello = (nonce: number): Hello => ({
  kind: 'hello',
  protocolVersion: 1,
  schemaHash: 0,
  nonce,
  peerNonce: 0,
  sensorRate: 200,
  watchdog: 50,
  latch: 0,
  latchCause: 'none',
  name: 'robot',
  revision: '1',
});
const frameOf = (message: Message, sequence: number): Uint8Array =>
  new FrameEncoder({ firstSequence: sequence }).encode(message, 0);
const push = (decoder: FrameDecoder, ...messages: [Message, number][]): Frame[] =>
  messages.flatMap(([message, sequence]) => decoder.push(frameOf(message, sequence)));
const echoes = (decoder: FrameDecoder, ...sequences: number[]): Frame[] =>
  push(decoder, ...sequences.map((sequence): [Message, number] => [echo, sequence]));

describe('FrameEncoder', () => {
  test('counts each kind by itself, across the wrap', () => {
    const encoder = new FrameEncoder({ firstSequence: 65534 });
    const decoder = new FrameDecoder();
    const sent = [echo, echo, fault, echo, fault, echo].flatMap((message) => decoder.push(encoder.encode(message, 0)));
    expect(sent.map(({ kind, sequence }) => [kind, sequence])).toEqual([
      ['estopEcho', 65534],
      ['estopEcho', 65535],
      ['fault', 65534],
      ['estopEcho', 0],
      ['fault', 65535],
      ['estopEcho', 1],
    ]);
    expect(decoder.counters).toEqual({ ...noCounts(), accepted: 6 });
    expect(encoder.nextSequence('estopEcho')).toBe(2);
    expect(encoder.nextSequence('clear')).toBe(65534);
  });

  test('uses no sequence up for a message that it refuses', () => {
    const encoder = new FrameEncoder();
    expect(() => encoder.encode({ ...echo, latch: Number.NaN } as Message, 0)).toThrow('"estopEcho.latch"');
    expect(() => encoder.encode(echo, Number.NaN)).toThrow('"time"');
    expect(encoder.nextSequence('estopEcho')).toBe(0);
  });

  test('gives bytes that the next frame leaves alone', () => {
    const encoder = new FrameEncoder();
    const first = encoder.encode(echo, 0);
    const copy = first.slice();
    encoder.encode(fault, 1);
    expect(first).toEqual(copy);
  });

  test('sends time modulo 2^32', () => {
    const decoder = new FrameDecoder();
    const encoder = new FrameEncoder();
    const times = [2 ** 32 - 1, 2 ** 32, 2 ** 32 + 5, 1e15, 1.9];
    const frames = times.flatMap((time) => decoder.push(encoder.encode(echo, time)));
    expect(frames.map(({ time }) => time)).toEqual([2 ** 32 - 1, 0, 5, 1e15 % 2 ** 32, 1]);
  });
});

describe('FrameDecoder', () => {
  test('takes the first frame of a type whatever its sequence', () => {
    expect(echoes(new FrameDecoder(), 40_000)).toMatchObject([{ sequence: 40_000, lost: 0 }]);
  });

  test('counts the gap before a frame, across the wrap', () => {
    const decoder = new FrameDecoder();
    expect(echoes(decoder, 65530, 65531, 65535, 2).map(({ lost }) => lost)).toEqual([0, 0, 3, 2]);
    expect(decoder.counters).toEqual({ ...noCounts(), accepted: 4, lost: 5 });
  });

  test('takes 32767 ahead for newer and 32768 for older', () => {
    expect(echoes(new FrameDecoder(), 100, 100 + 32767)).toMatchObject([{}, { lost: 32766 }]);
    expect(echoes(new FrameDecoder(), 100, 100 + 32768)).toHaveLength(1);
  });

  test('refuses two frames that changed places, across the wrap', () => {
    const decoder = new FrameDecoder();
    expect(echoes(decoder, 65534, 0, 65535, 1).map(({ sequence }) => sequence)).toEqual([65534, 0, 1]);
    expect(decoder.counters).toEqual({ ...noCounts(), accepted: 3, lost: 1, outOfOrder: 1 });
  });

  test('follows a sender that counts anew at its eighth frame', () => {
    const decoder = new FrameDecoder();
    expect(echoes(decoder, 1000, 300, 301, 302, 303, 304, 305, 306)).toHaveLength(1);
    expect(echoes(decoder, 307, 308)).toMatchObject([
      { sequence: 307, lost: 0 },
      { sequence: 308, lost: 0 },
    ]);
    expect(decoder.counters).toEqual({ ...noCounts(), accepted: 3, outOfOrder: 7, resynchronised: 1 });
  });

  test('does not follow old frames that do not follow each other, nor a run that is interrupted', () => {
    const decoder = new FrameDecoder();
    echoes(decoder, 1000, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18);
    echoes(decoder, 20, 21, 22, 23, 24, 25, 26, 1001, 27, 28, 29);
    expect(decoder.counters).toEqual({ ...noCounts(), accepted: 2, outOfOrder: 20 });
  });

  test('keeps the sequences of types apart', () => {
    const decoder = new FrameDecoder();
    push(decoder, [echo, 5], [fault, 900], [echo, 6], [fault, 901]);
    expect(decoder.counters).toEqual({ ...noCounts(), accepted: 4 });
  });

  test('takes every estop, whatever its sequence', () => {
    const decoder = new FrameDecoder();
    const frames = push(decoder, [estop, 9], [estop, 9], [estop, 3], [estop, 40_000], [estop, 0]);
    expect(frames.map(({ lost }) => lost)).toEqual([0, 0, 0, 0, 0]);
    expect(decoder.counters).toEqual({ ...noCounts(), accepted: 5 });
  });

  test('takes every hello, and one with another nonce makes it forget all sequences', () => {
    const decoder = new FrameDecoder();
    push(decoder, [hello(1), 9], [echo, 1000], [hello(1), 9], [hello(1), 2], [echo, 1000]);
    expect(decoder.counters).toEqual({ ...noCounts(), accepted: 4, duplicated: 1 });
    push(decoder, [hello(2), 0], [echo, 0], [fault, 0]);
    expect(decoder.counters).toEqual({ ...noCounts(), accepted: 7, duplicated: 1 });
  });

  test('forgets the unfinished frame and all sequences on reset, but no counts', () => {
    const decoder = new FrameDecoder();
    echoes(decoder, 1000);
    decoder.push(frameOf(echo, 1001).subarray(0, 9));
    decoder.reset();
    expect(echoes(decoder, 0)).toHaveLength(1);
    decoder.push(new Uint8Array(500).fill(1)); // oversized, and not yet ended
    decoder.reset();
    expect(echoes(decoder, 1)).toHaveLength(1);
    expect(decoder.counters).toEqual({ ...noCounts(), accepted: 3, oversized: 1 });
  });

  test('takes estop and hello after half a frame, since they begin with a delimiter', () => {
    const decoder = new FrameDecoder();
    decoder.push(Uint8Array.of(9, 8, 7));
    expect(push(decoder, [estop, 0])).toHaveLength(1);
    decoder.push(Uint8Array.of(9, 8, 7));
    expect(push(decoder, [hello(1), 0])).toHaveLength(1);
    expect(decoder.counters).toEqual({ ...noCounts(), accepted: 2, malformed: 2 });
  });
});
