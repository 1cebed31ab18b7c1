import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  frameForSocket,
  jsonForSocket,
  MAX_ANSWER,
  MAX_REQUEST,
  SocketKind,
  type SocketMessage,
  SocketSplitter,
} from './socket-frame.ts';

const anyMessage = fc.record({
  kind: fc.constantFrom(SocketKind.json, SocketKind.row),
  payload: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
});

/** All messages of a stream that arrives in pieces, or `undefined` when it was given up. */
function split(pieces: readonly Buffer[], longest = MAX_ANSWER): SocketMessage[] | undefined {
  const splitter = new SocketSplitter(longest);
  const messages: SocketMessage[] = [];
  for (const piece of pieces) {
    splitter.push(piece);
    for (let message = splitter.next(); message; message = splitter.next()) {
      // The payloads are views into the pieces: keep copies.
      messages.push({ kind: message.kind, payload: Buffer.from(message.payload) });
    }
    if (splitter.broken) return undefined;
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
    for (const longest of [MAX_REQUEST, MAX_ANSWER]) {
      expect(split([header(longest + 2)], longest)).toBeUndefined();
      expect(split([header(0xffffffff)], longest)).toBeUndefined();
      expect(split([header(longest + 1)], longest)).toEqual([]);
    }
  });

  it('carries the longest payload whole, and not a byte more', () => {
    const longest = Buffer.alloc(MAX_REQUEST, 7);
    expect(split([frameForSocket(SocketKind.json, longest)], MAX_REQUEST)).toEqual([
      { kind: SocketKind.json, payload: longest },
    ]);
    const longer = Buffer.alloc(MAX_REQUEST + 1, 7);
    expect(split([frameForSocket(SocketKind.json, longer)], MAX_REQUEST)).toBeUndefined();
  });

  it('gives one message at a time, and the rest when it is asked again', () => {
    const splitter = new SocketSplitter(MAX_ANSWER);
    splitter.push(Buffer.concat([jsonForSocket(1), jsonForSocket(2)]));
    const text = () => splitter.next()?.payload.toString('utf8');
    expect([text(), text(), text()]).toEqual(['1', '2', undefined]);
    splitter.push(jsonForSocket(3));
    expect([text(), text()]).toEqual(['3', undefined]);
  });

  it('gives nothing more once it is broken, whatever comes', () => {
    const splitter = new SocketSplitter(MAX_ANSWER);
    splitter.push(header(0));
    expect(splitter.broken).toBe(false);
    expect(splitter.next()).toBeUndefined();
    splitter.push(jsonForSocket(1));
    expect(splitter.next()).toBeUndefined();
    expect(splitter.broken).toBe(true);
  });

  it('is given up although good messages came before in the same piece', () => {
    expect(split([Buffer.concat([jsonForSocket({}), header(0)])])).toBeUndefined();
  });

  it('waits for the rest of a message without giving any of it out', () => {
    const framed = jsonForSocket({ a: 1 });
    expect(split([framed.subarray(0, framed.length - 1)])).toEqual([]);
  });
});
