import fc from 'fast-check';
import type { Packet } from 'mqtt-packet';
import { describe, expect, it } from 'vitest';
import { PacketReader } from './mqtt-reader.ts';
import { bytesOf } from './scripted-broker.testing.ts';

interface Seen {
  readonly topic: string;
  readonly qos: number;
  readonly retain: boolean;
  readonly messageId: number;
  readonly length: number;
  readonly payload: string;
}

function reader() {
  const messages: Seen[] = [];
  const packets: Packet[] = [];
  const it = new PacketReader({
    published: ({ payload, ...rest }) => messages.push({ ...rest, payload: Buffer.from(payload).toString('latin1') }),
    received: (packet) => packets.push(packet),
  });
  return { reader: it, messages, packets };
}

/** The bytes in pieces of the given lengths, over and over. */
function* pieces(bytes: Uint8Array, lengths: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const length = lengths[turn % lengths.length] ?? 1;
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

const publication = fc.record({
  topic: fc.stringMatching(/^[a-z0-9/]{1,40}$/),
  payload: fc.uint8Array({ maxLength: 6000 }).map((bytes) => Buffer.from(bytes)),
  qos: fc.constantFrom(0, 1, 2),
  retain: fc.boolean(),
  messageId: fc.integer({ min: 1, max: 0xffff }),
  contentType: fc.option(fc.stringMatching(/^[a-z]{0,300}$/), { nil: undefined }),
});

describe('the packet reader', () => {
  it('reads messages as mqtt-packet writes them, however they are cut', () => {
    fc.assert(
      fc.property(
        fc.array(publication, { minLength: 1, maxLength: 5 }),
        fc.array(fc.integer({ min: 1, max: 2000 }), { minLength: 1 }),
        (publications, lengths) => {
          const { reader: it, messages } = reader();
          const bytes = Buffer.concat(
            publications.map(({ contentType, ...rest }) =>
              bytesOf({
                cmd: 'publish',
                dup: false,
                ...rest,
                qos: rest.qos as 0 | 1 | 2,
                ...(contentType === undefined ? {} : { properties: { contentType } }),
              }),
            ),
          );
          for (const piece of pieces(bytes, lengths)) expect(it.push(piece)).toBeUndefined();
          expect(messages.map(({ payload, ...rest }) => rest)).toEqual(
            publications.map(({ topic, qos, retain, messageId, payload }) => ({
              topic,
              qos,
              retain,
              messageId: qos > 0 ? messageId : 0,
              length: payload.length,
            })),
          );
          messages.forEach(({ payload }, index) => {
            expect(publications[index]?.payload.toString('latin1').startsWith(payload)).toBe(true);
          });
        },
      ),
    );
  });

  it('never throws, and says what is wrong at most once a stream', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), fc.integer({ min: 1, max: 300 }), (bytes, length) => {
        const { reader: it } = reader();
        for (const piece of pieces(bytes, [length])) it.push(piece);
      }),
      { numRuns: 500 },
    );
  });

  it('gives other packets to the listener whole', () => {
    const { reader: it, packets } = reader();
    const connack = bytesOf({ cmd: 'connack', reasonCode: 0, sessionPresent: false, properties: { maximumQoS: 1 } });
    for (const piece of pieces(Buffer.concat([connack, bytesOf({ cmd: 'pingresp' })]), [1])) it.push(piece);
    expect(packets.map((packet) => packet.cmd)).toEqual(['connack', 'pingresp']);
  });
});
