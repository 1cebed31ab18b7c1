import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ButtonChange,
  type ButtonParser,
  inputEventBytes,
  inputEventParser,
  joystickParser,
} from './button-events.ts';
import { PressWatch } from './press-watch.ts';

type Endian = 'LE' | 'BE';

interface JsEvent {
  readonly time: number;
  readonly value: number;
  readonly type: number;
  readonly number: number;
}

function jsBytes({ time, value, type, number }: JsEvent, endian: Endian = 'LE'): Buffer {
  const bytes = Buffer.alloc(8);
  if (endian === 'LE') {
    bytes.writeUInt32LE(time, 0);
    bytes.writeInt16LE(value, 4);
  } else {
    bytes.writeUInt32BE(time, 0);
    bytes.writeInt16BE(value, 4);
  }
  bytes.writeUInt8(type, 6);
  bytes.writeUInt8(number, 7);
  return bytes;
}

interface InputEvent {
  readonly type: number;
  readonly code: number;
  readonly value: number;
}

function inputBytes({ type, code, value }: InputEvent, length: 16 | 24, endian: Endian = 'LE'): Buffer {
  const bytes = Buffer.alloc(length, 0xa5);
  const at = length - 8;
  if (endian === 'LE') {
    bytes.writeUInt16LE(type, at);
    bytes.writeUInt16LE(code, at + 2);
    bytes.writeInt32LE(value, at + 4);
  } else {
    bytes.writeUInt16BE(type, at);
    bytes.writeUInt16BE(code, at + 2);
    bytes.writeInt32BE(value, at + 4);
  }
  return bytes;
}

const anyJsEvent: fc.Arbitrary<JsEvent> = fc.record({
  time: fc.nat(0xffff_ffff),
  value: fc.integer({ min: -32768, max: 32767 }),
  type: fc.constantFrom(0, 1, 2, 0x81, 0x82, 0xff),
  number: fc.nat(255),
});
const anyInputEvent: fc.Arbitrary<InputEvent> = fc.record({
  type: fc.constantFrom(0, 1, 2, 3, 4, 0x15),
  code: fc.nat(0x2ff),
  value: fc.integer({ min: -2, max: 2 }),
});
const anyEndian = fc.constantFrom<Endian>('LE', 'BE');

/** The same bytes in other pieces. */
function inPieces(parser: ButtonParser, bytes: Buffer, cuts: readonly number[]): ButtonChange[] {
  const changes: ButtonChange[] = [];
  const borders = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b);
  borders.forEach((from, index) => {
    // As from a device: into memory that is used again.
    const piece = Buffer.from(bytes.subarray(from, borders[index + 1] ?? bytes.length));
    changes.push(...parser.push(piece).changes);
    piece.fill(0xff);
  });
  return changes;
}

describe('joystick events', () => {
  it('are buttons with their number, pressed or not, whatever pieces they come in; axes are nothing', () => {
    fc.assert(
      fc.property(
        fc.array(anyJsEvent, { maxLength: 20 }),
        anyEndian,
        fc.array(fc.nat(), { maxLength: 10 }),
        (events, endian, cuts) => {
          const bytes = Buffer.concat(events.map((event) => jsBytes(event, endian)));
          const expected = events
            .filter(({ type }) => (type & 0x7f) === 1)
            .map(({ number, value, type }) => ({ button: number, pressed: value !== 0, initial: type >= 0x80 }));
          expect(inPieces(joystickParser(endian), bytes, cuts)).toEqual(expected);
        },
      ),
    );
  });

  it('that were cut off are forgotten with their writer', () => {
    const parser = joystickParser('LE');
    const press = jsBytes({ time: 1, value: 1, type: 1, number: 4 });
    parser.push(press.subarray(0, 3));
    parser.reset();
    expect(parser.push(press).changes).toEqual([{ button: 4, pressed: true, initial: false }]);
  });
});

describe('input events', () => {
  it('are keys with their code, in structs of both lengths and either byte order; all else is nothing', () => {
    fc.assert(
      fc.property(
        fc.array(anyInputEvent, { maxLength: 20 }),
        fc.constantFrom<16 | 24>(16, 24),
        anyEndian,
        fc.array(fc.nat(), { maxLength: 10 }),
        (events, length, endian, cuts) => {
          const bytes = Buffer.concat(events.map((event) => inputBytes(event, length, endian)));
          const expected = events
            .filter(({ type }) => type === 1)
            .map(({ code, value }) => ({ button: code, pressed: value !== 0, initial: false }));
          expect(inPieces(inputEventParser({ bytes: length, endian }), bytes, cuts)).toEqual(expected);
        },
      ),
    );
  });

  it('have 24 bytes for a 64-bit process and 16 for a 32-bit one', () => {
    expect(['x64', 'arm64', 'riscv64', 'ppc64', 's390x', 'loong64'].map(inputEventBytes)).toEqual(Array(6).fill(24));
    expect(['arm', 'ia32', 'mips', 'mipsel'].map(inputEventBytes)).toEqual(Array(4).fill(16));
  });

  it('say when the kernel has thrown some away', () => {
    const parser = inputEventParser({ bytes: 24, endian: 'LE' });
    expect(parser.push(inputBytes({ type: 0, code: 0, value: 0 }, 24)).lost).toBe(false);
    expect(parser.push(inputBytes({ type: 0, code: 3, value: 0 }, 24)).lost).toBe(true);
  });
});

describe('any bytes at all', () => {
  it('are read without an error, and never keep more than a part of an event', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 10 }), (pieces) => {
        for (const parser of [joystickParser(), inputEventParser()]) {
          for (const piece of pieces) parser.push(Buffer.from(piece));
          parser.reset();
        }
      }),
    );
  });
});

const change = (button: number, pressed: boolean, initial = false): ButtonChange => ({ button, pressed, initial });
const news = (...changes: ButtonChange[]) => ({ changes, lost: false });

const watchOf = (buttons: number[] = [], confirmButtons: number[] = []) => new PressWatch({ buttons, confirmButtons });
const stop = (button: number) => ({ kind: 'stop', why: `button ${button}` });

describe('a press', () => {
  it('is a button that goes down, not one that is found down', () => {
    const watch = watchOf();
    expect(watch.see(news(change(0, true, true), change(1, false, true)))).toBeUndefined();
    expect(watch.held).toEqual([0]);
    expect(watch.see(news(change(0, false)))).toBeUndefined();
    expect(watch.see(news(change(0, true)))).toEqual(stop(0));
  });

  it('that the kernel has lost is seen from how the buttons are found afterwards', () => {
    const watch = watchOf();
    watch.see(news(change(0, false, true)));
    expect(watch.see(news(change(0, true, true)))).toEqual(stop(0));
    expect(watch.see({ changes: [], lost: true })).toMatchObject({ kind: 'stop', why: expect.stringMatching(/lost/) });
  });

  it('counts for the named buttons only', () => {
    const watch = watchOf([3]);
    expect(watch.see(news(change(2, true), change(4, true)))).toBeUndefined();
    expect(watch.held).toEqual([]);
    expect(watch.see(news(change(3, true)))).toEqual(stop(3));
  });

  it('between a hundred other events of one look is seen', () => {
    const changes = Array.from({ length: 100 }, () => change(0, false));
    expect(watchOf().see(news(...changes, change(9, true), change(9, false)))).toEqual(stop(9));
  });

  it('of a button that confirms does not stop, and confirms nothing beside a stop or when events were lost', () => {
    const watch = watchOf([], [7]);
    expect(watch.see(news(change(7, true, true)))).toBeUndefined();
    // It was held all along, as far as anybody knows.
    expect(watch.see(news(change(7, true)))).toBeUndefined();
    watch.see(news(change(7, false)));
    expect(watch.see(news(change(7, true)))).toEqual({ kind: 'confirm' });
    expect(watch.held).toEqual([]);
    watch.see(news(change(7, false)));
    expect(watch.see(news(change(7, true), change(2, true)))).toEqual(stop(2));
    watch.see(news(change(7, false), change(2, false)));
    expect(watch.see({ changes: [change(7, true)], lost: true })).toMatchObject({ kind: 'stop' });
  });

  it('stops whatever is pressed with it and in whatever order', () => {
    const anyChange = fc.record({ button: fc.nat(9), pressed: fc.boolean(), initial: fc.constant(false) });
    fc.assert(
      fc.property(fc.array(anyChange), fc.array(anyChange), (before, after) => {
        const watch = watchOf([], [7]);
        expect(watch.see(news(...before, change(3, true), ...after))).toMatchObject({ kind: 'stop' });
      }),
    );
  });
});
