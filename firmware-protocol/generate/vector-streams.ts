import { plainFrame, stuffed, wireFrame } from './reference-framing.ts';
import type { Message, Protocol } from './schema.ts';
import { hexOf, payloadOf, type Raw, type Sender, type StreamVector } from './vectors.ts';

/** Streams of bytes with the verdict that PROTOCOL.md §3 asks for, one for each way in which a line can go wrong. */
export function streamVectors(protocol: Protocol): StreamVector[] {
  const of = (kind: string): Message => {
    const message = protocol.messages[kind];
    if (!message) throw new TypeError(`messages.yaml has no ${kind}`);
    return message;
  };
  const payload = (kind: string, raw: Raw = {}) => payloadOf(of(kind), raw);
  const plain = (kind: string, sequence: number, raw: Raw = {}) =>
    plainFrame({ type: of(kind).type, sequence, time: 77_000_000 + sequence, payload: payload(kind, raw) });
  const frame = (kind: string, sequence: number, raw: Raw = {}) => stuffed(plain(kind, sequence, raw));
  const sensors = (sequence: number, raw: Raw = {}) => frame('sensors', sequence, raw);
  const sensorsRun = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => sensors((from + i) & 0xffff)).flat();
  const hello = (nonce: number, sequence = 0) => frame('hello', sequence, { nonce });
  /** an intact frame whose payload is any bytes at all */
  const odd = (type: number, bytes: readonly number[], sequence = 0) => wireFrame({ type, sequence, payload: bytes });
  const at = (bytes: readonly number[], index: number, value: (byte: number) => number) =>
    bytes.map((byte, i) => (i === index ? value(byte) : byte));
  const nonZero = (count: number) => Array.from({ length: count }, (_, i) => (i % 255) + 1);

  const streams: StreamVector[] = [];
  const add = (
    clause: string,
    name: string,
    from: Sender,
    wire: readonly number[],
    accepts: readonly [kind: string, sequence: number][],
    counts: Record<string, number>,
  ) => {
    streams.push({
      name,
      clause,
      from,
      wire: hexOf(wire),
      accepts: accepts.map(([kind, sequence]) => ({ type: of(kind).type, sequence })),
      counts: accepts.length > 0 ? { accepted: accepts.length, ...counts } : counts,
    });
  };
  const s = (...sequences: number[]) => sequences.map((sequence): [string, number] => ['sensors', sequence]);
  const longest = protocol.protocol.maxPayload + 12;

  add('§3.1', 'two frames', 'mcu', sensorsRun(7, 2), s(7, 8), {});
  add('§3.1', 'empty frames mean nothing', 'mcu', [0, 0, ...sensors(0), 0, 0, ...sensors(1), 0], s(0, 1), {});
  add('§3.1', 'a frame that is not ended yet', 'mcu', sensors(0).slice(0, -1), [], {});
  add(
    '§2.5',
    'noise without a delimiter spoils the frame behind it',
    'mcu',
    [1, 2, 3, ...sensors(0), ...sensors(1)],
    s(1),
    {
      corrupted: 1,
    },
  );
  add(
    '§2.5',
    'an e-stop with its delimiter survives half a frame',
    'host',
    [...frame('command', 0).slice(0, 20), 0, ...frame('estop', 9, { reason: 3 })],
    [['estop', 9]],
    {
      corrupted: 1,
    },
  );
  add('§3.2', 'one byte too long', 'mcu', [...nonZero(longest + 1), 0, ...sensors(0)], s(0), { oversized: 1 });
  add('§3.2', 'far too long counts once', 'mcu', [...nonZero(5 * longest), 0, ...sensors(0)], s(0), { oversized: 1 });
  add('§3.2', 'too long twice', 'mcu', [...nonZero(longest + 1), 0, ...nonZero(longest + 1), 0], [], { oversized: 2 });
  add(
    '§3.3',
    'exactly as long as may be, but no COBS',
    'mcu',
    [...Array.from({ length: longest }, () => 0xff), 0],
    [],
    {
      malformed: 1,
    },
  );
  add('§3.3', 'a block runs one byte past the end', 'mcu', [4, 1, 2, 0], [], { malformed: 1 });
  add('§3.4', 'one byte', 'mcu', [1, 0], [], { truncated: 1 });
  const short = plainFrame({ type: of('estop').type, sequence: 0, payload: [] });
  add('§3.4', 'ten bytes, one less than header and CRC', 'host', stuffed(short.slice(1)), [], { truncated: 1 });
  add('§3.8', 'eleven bytes, a header and a CRC without payload', 'host', stuffed(short), [], { wrongLength: 1 });
  const intact = plain('sensors', 3);
  for (const [what, index] of [
    ['type', 0],
    ['sequence', 1],
    ['time', 5],
    ['payload', 30],
    ['CRC', intact.length - 1],
  ] as const) {
    add(
      '§3.5',
      `one bit wrong in the ${what}`,
      'mcu',
      [...stuffed(at(intact, index, (byte) => byte ^ 0x10)), ...sensors(4)],
      s(4),
      {
        corrupted: 1,
      },
    );
  }
  add(
    '§3.5',
    'a type that does not exist is not believed before the CRC',
    'mcu',
    stuffed(at(intact, 0, () => 0x7f)),
    [],
    {
      corrupted: 1,
    },
  );
  add('§3.6', 'a type that does not exist', 'mcu', odd(0x7f, [1, 2, 3]), [], { unknownType: 1 });
  add('§3.6', 'type zero', 'host', odd(0x00, []), [], { unknownType: 1 });
  add('§3.7', 'the MCU hears sensors', 'host', sensors(0), [], { wrongDirection: 1 });
  add('§3.7', 'the MCU hears an e-stop echo', 'host', frame('estopEcho', 0), [], { wrongDirection: 1 });
  add('§3.7', 'the host hears an e-stop', 'mcu', frame('estop', 0), [], { wrongDirection: 1 });
  add('§3.7', 'the host hears a command of any length', 'mcu', odd(of('command').type, [1]), [], { wrongDirection: 1 });
  add('§3.8', 'sensors one byte short', 'mcu', odd(of('sensors').type, payload('sensors').slice(1)), [], {
    wrongLength: 1,
  });
  add('§3.8', 'an e-stop one byte long too much', 'host', odd(of('estop').type, [1, 2]), [], { wrongLength: 1 });
  for (const state of [6, 7]) {
    add('§3.9', `state ${state} has no name`, 'mcu', sensors(0, { state }), [], { unknownValue: 1 });
  }
  add('§3.9', 'requested state 4 has no name', 'host', frame('command', 0, { requestedState: 4 }), [], {
    unknownValue: 1,
  });
  add('§3.9', 'latch cause 255 has no name', 'mcu', frame('fault', 0, { cause: 255 }), [], { unknownValue: 1 });
  add(
    '§2.6',
    'bits without a name are ignored',
    'mcu',
    odd(
      of('sensors').type,
      at(payload('sensors', { faults: 0xfc00 }), 0, (byte) => byte | 0x80),
      5,
    ),
    s(5),
    {},
  );
  add('§3.10', 'the same frame twice', 'mcu', [...sensors(9), ...sensors(9), ...sensors(10)], s(9, 10), {
    duplicated: 1,
  });
  add('§3.11', 'three lost', 'mcu', [...sensors(9), ...sensors(13)], s(9, 13), { lost: 3 });
  add('§3.11', 'the sequence wraps', 'mcu', sensorsRun(0xfffe, 4), s(0xfffe, 0xffff, 0, 1), {});
  add('§3.11', 'the first may have any sequence', 'mcu', sensors(40_000), s(40_000), {});
  add('§3.11', 'half the circle ahead is newer', 'mcu', [...sensors(0), ...sensors(0x7fff)], s(0, 0x7fff), {
    lost: 0x7ffe,
  });
  add('§3.12', 'one more is older', 'mcu', [...sensors(0), ...sensors(0x8000), ...sensors(1)], s(0, 1), {
    outOfOrder: 1,
  });
  add(
    '§3.12',
    'two frames change places',
    'mcu',
    [...sensors(5), ...sensors(7), ...sensors(6), ...sensors(8)],
    s(5, 7, 8),
    {
      lost: 1,
      outOfOrder: 1,
    },
  );
  add('§3.13', 'the eighth of a run is accepted', 'mcu', [...sensors(1000), ...sensorsRun(0, 9)], s(1000, 7, 8), {
    outOfOrder: 7,
    resynchronised: 1,
  });
  add(
    '§3.13',
    'a run with a hole is none',
    'mcu',
    [...sensors(1000), ...sensorsRun(0, 5), ...sensorsRun(6, 7), ...sensors(1001)],
    s(1000, 1001),
    {
      outOfOrder: 12,
    },
  );
  add(
    '§3.13',
    'a frame in order ends the run',
    'mcu',
    [...sensors(1000), ...sensorsRun(0, 7), ...sensors(1001), ...sensors(7)],
    s(1000, 1001),
    {
      outOfOrder: 8,
    },
  );
  add(
    '§3.14',
    'an e-stop of any sequence',
    'host',
    [5, 5, 4, 40_000].flatMap((sequence) => frame('estop', sequence)),
    [
      ['estop', 5],
      ['estop', 5],
      ['estop', 4],
      ['estop', 40_000],
    ],
    {},
  );
  add(
    '§3.14',
    'a hello of any sequence',
    'mcu',
    [...hello(1, 9), ...hello(1, 9), ...hello(1, 3)],
    [
      ['hello', 9],
      ['hello', 9],
      ['hello', 3],
    ],
    {},
  );
  add(
    '§3.14',
    'a new nonce makes sequences forgotten',
    'mcu',
    [...hello(1), ...sensors(500), ...hello(2), ...sensors(3)],
    [
      ['hello', 0],
      ['sensors', 500],
      ['hello', 0],
      ['sensors', 3],
    ],
    {},
  );
  add(
    '§3.14',
    'the first hello does too, whatever its nonce',
    'mcu',
    [...sensors(500), ...hello(0), ...sensors(3)],
    [
      ['sensors', 500],
      ['hello', 0],
      ['sensors', 3],
    ],
    {},
  );
  add(
    '§3.14',
    'the same nonce does not',
    'mcu',
    [...hello(1), ...sensors(500), ...hello(1), ...sensors(3)],
    [
      ['hello', 0],
      ['sensors', 500],
      ['hello', 0],
    ],
    {
      outOfOrder: 1,
    },
  );
  add(
    '§3',
    'a refused frame is not expected next',
    'mcu',
    [...sensors(1), ...sensors(2, { state: 7 }), ...sensors(3)],
    s(1, 3),
    {
      lost: 1,
      unknownValue: 1,
    },
  );
  add(
    '§3.10',
    'each type counts for itself',
    'host',
    [...frame('command', 8), ...frame('clear', 8), ...frame('command', 9)],
    [
      ['command', 8],
      ['clear', 8],
      ['command', 9],
    ],
    {},
  );
  return streams;
}
