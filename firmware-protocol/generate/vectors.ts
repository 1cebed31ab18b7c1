import { wireFrame } from './reference-framing.ts';
import {
  type Field,
  layout,
  type Message,
  type Protocol,
  payloadSize,
  rawDefault,
  resolutionOf,
  sizeOf,
  WIRE_TYPES,
} from './schema.ts';
import { streamVectors } from './vector-streams.ts';

/**
 * The golden vectors of PROTOCOL.md §12, made from messages.yaml and the plain second reading of §2 in
 * reference-framing.ts; no codec that is held to them has a part in them.
 */

export type Sender = 'host' | 'mcu';

/** Integers as in the payload, by name of field or bit; text as it is. */
export type Raw = Record<string, number | number[] | string>;

export interface FrameVector {
  readonly name: string;
  readonly from: Sender;
  readonly message: string;
  readonly type: number;
  readonly sequence: number;
  readonly time: number;
  readonly payload: string;
  readonly wire: string;
  readonly raw: Raw;
  readonly values: Record<string, number | number[] | string | boolean>;
}

export interface StreamVector {
  readonly name: string;
  /** clause of PROTOCOL.md */
  readonly clause: string;
  readonly from: Sender;
  readonly wire: string;
  readonly accepts: readonly { readonly type: number; readonly sequence: number }[];
  /** counters that are not 0 */
  readonly counts: Readonly<Record<string, number>>;
}

export interface Vectors {
  readonly protocolVersion: number;
  readonly frames: readonly FrameVector[];
  readonly streams: readonly StreamVector[];
}

export const hexOf = (bytes: readonly number[]): string => Buffer.from(bytes).toString('hex');

export function makeVectors(protocol: Protocol): Vectors {
  return {
    protocolVersion: protocol.protocol.version,
    frames: Object.keys(protocol.messages).flatMap((kind) => frameVectors(protocol, kind)),
    streams: streamVectors(protocol),
  };
}

/** One line a vector: a change shows in a diff as what it is. */
export function printVectors({ protocolVersion, frames, streams }: Vectors): string {
  const lines = (items: readonly unknown[]) => items.map((item) => `    ${JSON.stringify(item)}`).join(',\n');
  return `{\n  "protocolVersion": ${protocolVersion},\n  "frames": [\n${lines(frames)}\n  ],\n  "streams": [\n${lines(streams)}\n  ]\n}\n`;
}

/** A payload of raw integers; a missing field or bit has its default. */
export function payloadOf(message: Message, raw: Raw = {}): number[] {
  const payload = Array.from({ length: payloadSize(message) }, () => 0);
  for (const { field, offset } of layout(message)) {
    littleEndian(field, rawOf(field, raw)).forEach((byte, i) => {
      payload[offset + i] = byte;
    });
  }
  return payload;
}

function rawOf(field: Field, raw: Raw): number[] {
  if (field.bits) {
    let shift = 0;
    let sum = 0;
    for (const bit of field.bits) {
      sum += Number(raw[bit.name] ?? bit.default ?? 0) * 2 ** shift;
      shift += bit.width;
    }
    return [sum];
  }
  const value = raw[field.name];
  if (field.type === 'char') {
    const bytes = [...Buffer.from(typeof value === 'string' ? value : '')];
    return Array.from({ length: field.count ?? 1 }, (_, i) => bytes[i] ?? 0);
  }
  if (value === undefined) return field.enum ? [0] : rawDefault(field);
  return typeof value === 'number' ? [value] : Array.isArray(value) ? value : [];
}

function littleEndian(field: Field, values: readonly number[]): number[] {
  const size = sizeOf(field.type);
  return values.flatMap((value) =>
    Array.from({ length: size }, (_, i) => Math.floor((value < 0 ? value + 256 ** size : value) / 256 ** i) % 256),
  );
}

function frameVectors(protocol: Protocol, kind: string): FrameVector[] {
  const message = protocol.messages[kind];
  if (!message) return [];
  const vector = (name: string, from: Sender, sequence: number, time: number, raw: Raw): FrameVector => {
    const payload = payloadOf(message, raw);
    const wire = wireFrame({ type: message.type, sequence, time, payload });
    const flushed = kind === 'hello' || kind === 'estop' ? [0, ...wire] : wire; // §2.5
    const values = Object.fromEntries(message.fields.flatMap((field) => physical(protocol, field, raw)));
    return {
      name: `${kind}: ${name}`,
      from,
      message: kind,
      type: message.type,
      sequence,
      time,
      payload: hexOf(payload),
      wire: hexOf(flushed),
      raw,
      values,
    };
  };
  const senders: Sender[] = [];
  if (message.direction !== 'mcu-to-host') senders.push('host');
  if (message.direction !== 'host-to-mcu') senders.push('mcu');
  return senders.flatMap((from) => [
    vector(
      'defaults',
      from,
      0,
      0,
      everyField(
        message,
        (field) => (field.enum ? [0] : rawDefault(field)),
        () => 0,
        '',
      ),
    ),
    vector(
      'smallest',
      from,
      1,
      0xffffffff,
      everyField(message, smallest, () => 0, ''),
    ),
    vector('largest', from, 0xffff, 1, everyField(message, largest(protocol), ones(protocol), 'x')),
    vector(
      'all different',
      from,
      0x1234,
      0x89abcdef,
      everyField(message, different(protocol), (i) => i % 2, 'naïve ☃'),
    ),
  ]);
}

type Bit = NonNullable<Field['bits']>[number];

function everyField(
  message: Message,
  numbers: (field: Field, index: number) => number[],
  bits: (index: number, bit: Bit) => number,
  text: string,
): Raw {
  const raw: Raw = {};
  message.fields.forEach((field, index) => {
    if (field.bits) {
      field.bits.forEach((bit, i) => {
        raw[bit.name] = bits(i, bit);
      });
    } else if (field.type === 'char') {
      raw[field.name] = text.length === 1 ? text.repeat(field.count ?? 1) : text;
    } else {
      const values = numbers(field, index);
      raw[field.name] = field.count === undefined ? (values[0] ?? 0) : values;
    }
  });
  return raw;
}

const repeat = (field: Field, value: number): number[] => Array.from({ length: field.count ?? 1 }, () => value);

const smallest = (field: Field): number[] =>
  repeat(field, field.type === 'char' || field.enum ? 0 : WIRE_TYPES[field.type].min);

const lastOf = (protocol: Protocol, name: string): number =>
  Math.max(...(protocol.enums[name]?.values ?? []).map(({ value }) => value));

/** Only bits and values that have a name. */
const largest =
  (protocol: Protocol) =>
  (field: Field): number[] => {
    if (field.type === 'char') return [];
    if (field.enum) return [lastOf(protocol, field.enum)];
    if (field.bitset) return [2 ** (protocol.bitsets[field.bitset]?.bits.length ?? 0) - 1];
    return repeat(field, WIRE_TYPES[field.type].max);
  };

const ones =
  (protocol: Protocol) =>
  (_: number, bit: Bit): number =>
    bit.enum ? lastOf(protocol, bit.enum) : 1;

/** No two elements alike, zeros among their bytes, negative ones where the type has them. */
const different =
  (protocol: Protocol) =>
  (field: Field, index: number): number[] => {
    if (field.type === 'char') return [];
    if (field.enum) return [index % (lastOf(protocol, field.enum) + 1)];
    const { min, max } = WIRE_TYPES[field.type];
    if (field.bitset) return [0b01_0101_0101 & max];
    return Array.from({ length: field.count ?? 1 }, (_, i) => {
      const value = Math.floor((max / 7) * ((i % 5) + 1)) + index;
      return min < 0 && i % 2 === 1 ? -value : value;
    });
  };

function physical(protocol: Protocol, field: Field, raw: Raw): [string, FrameVector['values'][string]][] {
  const nameOf = (of: string, value: unknown) =>
    protocol.enums[of]?.values.find((each) => each.value === value)?.name ?? '';
  if (field.bits) {
    return field.bits.map((bit) => [bit.name, bit.enum ? nameOf(bit.enum, raw[bit.name]) : raw[bit.name] === 1]);
  }
  const value = raw[field.name] ?? 0;
  if (field.enum) return [[field.name, nameOf(field.enum, value)]];
  if (typeof value === 'string') return [[field.name, value]];
  const scale = resolutionOf(field);
  return [[field.name, Array.isArray(value) ? value.map((each) => each * scale) : value * scale]];
}
