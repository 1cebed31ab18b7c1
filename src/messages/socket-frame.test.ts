import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  frameForSocket,
  jsonForSocket,
  MAX_SOCKET_PAYLOAD,
  SocketKind,
  type SocketMessage,
  SocketSplitter,
} from './socket-frame.ts';

const anyMessage = fc.record({
  kind: fc.constantFrom(SocketKind.json, SocketKind.row),
  payload: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
});

/** All messages of a stream that arrives in pieces, or `undefined` when it was given up. */
function split(pieces: readonly Buffer[]): SocketMessage[] | undefined {
  const splitter = new SocketSplitter();
  const messages: SocketMessage[] = [];
  for (const piece of pieces) {
    const found = splitter.push(piece);
    if (found === undefined) return undefined;
    // The payloads are views into the pieces: keep copies.
    messages.push(...found.map(({ kind, payload }) => ({ kind, payload: Buffer.from(payload) })));
  }
  return messages;
}

function pieces(stream: Buffer, lengths: readonly number[]): Buffer[] {
  const cut: Buffer[] = [];
  let rest = stream;
  for (let turn = 0; rest.length > 0; turn++) {
    const length = Math.min(rest.length, lengths[turn % lengths.length] ?? 1);
    cut.push(Buffer.from(rest.subarray(0, length)));
    rest = rest.subarray(length);
  }
  return cut;
}

const header = (length: number) => {
  const bytes = Buffer.alloc(5);
  bytes.writeUInt32LE(length, 0);
  return bytes;
};

describe('the stream of the socket', () => {
  it('gives the same messages however it is cut', () => {
    fc.assert(
      fc.property(
        fc.array(anyMessage, { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 }),
        (messages, lengths) => {
          const stream = Buffer.concat(messages.map(({ kind, payload }) => frameForSocket(kind, payload)));
          expect(split(pieces(stream, lengths))).toEqual(messages);
        },
      ),
    );
  });

  it('carries an empty payload', () => {
    expect(split([frameForSocket(SocketKind.row, Buffer.alloc(0))])).toEqual([
      { kind: SocketKind.row, payload: Buffer.alloc(0) },
    ]);
  });

  it('carries JSON as UTF-8, counted in bytes', () => {
    const value = { text: 'Größe ⚠' };
    const [message] = split([jsonForSocket(value), jsonForSocket(1)]) ?? [];
    expect(JSON.parse(message?.payload.toString('utf8') ?? '')).toEqual(value);
  });

  it('says length first, little-endian, then the kind', () => {
    expect([...frameForSocket(SocketKind.row, Buffer.from([7, 8]))]).toEqual([3, 0, 0, 0, 1, 7, 8]);
  });

  it('is given up as soon as a length of zero is claimed', () => {
    expect(split([header(0)])).toBeUndefined();
  });

  it('is given up as soon as more than the limit is claimed, before any of it is kept', () => {
    expect(split([header(MAX_SOCKET_PAYLOAD + 1)])).toBeUndefined();
    expect(split([header(0xffffffff)])).toBeUndefined();
    expect(split([header(MAX_SOCKET_PAYLOAD)])).toEqual([]);
  });

  it('is given up although good messages came before in the same piece', () => {
    expect(split([Buffer.concat([jsonForSocket({}), header(0)])])).toBeUndefined();
  });

  it('waits for the rest of a message without giving any of it out', () => {
    const framed = jsonForSocket({ a: 1 });
    expect(split([framed.subarray(0, framed.length - 1)])).toEqual([]);
  });
});
