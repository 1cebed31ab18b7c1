import fc from 'fast-check';
import type { Message } from '../../src/protocol/messages.gen.ts';
import { type Field, type Protocol, readProtocol, resolutionOf, WIRE_TYPES } from '../generate/schema.ts';

/** For tests: messages with any values that the wire can carry, made from messages.yaml and not from the generated codec. */

const protocol: Protocol = readProtocol();

const fieldsOf = (kind: string): Field[] => protocol.messages[kind]?.fields ?? [];

const enumName = (name: string): fc.Arbitrary<string> =>
  fc.constantFrom(...(protocol.enums[name]?.values ?? []).map((value) => value.name));

export const messageKinds = Object.keys(protocol.messages) as Message['kind'][];

/** Smallest and largest physical value of a numeric field. */
export function physicalRange(field: Field): [min: number, max: number] {
  if (field.type === 'char') throw new TypeError(`${field.name} is text`);
  const { min, max } = WIRE_TYPES[field.type];
  return [min * resolutionOf(field), max * resolutionOf(field)];
}

/** Every numeric field of a kind: neither text, nor enum, nor bits. */
export const numericFields = (kind: Message['kind']): Field[] =>
  fieldsOf(kind).filter((field) => !(field.type === 'char' || field.enum || field.bitset || field.bits));

export function arbitraryMessage(kind: Message['kind']): fc.Arbitrary<Message> {
  const members = fieldsOf(kind).flatMap((field) =>
    field.bits
      ? field.bits.map((bit) => [bit.name, bit.enum ? enumName(bit.enum) : fc.boolean()] as const)
      : [[field.name, fieldValue(field)] as const],
  );
  return fc.record({ kind: fc.constant(kind), ...Object.fromEntries(members) }) as fc.Arbitrary<Message>;
}

export const anyMessage: fc.Arbitrary<Message> = fc.oneof(...messageKinds.map(arbitraryMessage));

function fieldValue(field: Field): fc.Arbitrary<unknown> {
  if (field.type === 'char') return text(field.count ?? 1);
  if (field.enum) return enumName(field.enum);
  const [min, max] = physicalRange(field);
  const number = resolutionOf(field) === 1 ? fc.integer({ min, max }) : fc.double({ min, max, noNaN: true });
  return field.count === undefined ? number : fc.tuple(...Array.from({ length: field.count }, () => number));
}

function text(bytes: number): fc.Arbitrary<string> {
  return fc
    .string({ unit: 'binary', maxLength: bytes })
    .filter((value) => !value.includes('\0') && Buffer.byteLength(value) <= bytes);
}
