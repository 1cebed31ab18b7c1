import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { crc32 } from '../../src/protocol/crc32.ts';
import { readYamlFile } from '../../src/yaml-file.ts';

/**
 * What messages.yaml may say, and what follows from it: sizes and the schema hash. The generators only print this model.
 */

/** Size of each wire type and, for the integers, its range. */
export const WIRE_TYPES = {
  u8: { size: 1, min: 0, max: 0xff, accessor: 'Uint8' },
  u16: { size: 2, min: 0, max: 0xffff, accessor: 'Uint16' },
  u32: { size: 4, min: 0, max: 0xffffffff, accessor: 'Uint32' },
  i8: { size: 1, min: -0x80, max: 0x7f, accessor: 'Int8' },
  i16: { size: 2, min: -0x8000, max: 0x7fff, accessor: 'Int16' },
  i32: { size: 4, min: -0x80000000, max: 0x7fffffff, accessor: 'Int32' },
} as const;
export type IntegerType = keyof typeof WIRE_TYPES;

/** Most bytes that one `sensors` frame may take on the wire: 80 let 200 Hz through 230400 baud with room to spare. */
export const MAX_SENSORS_WIRE_SIZE = 80;

const name = z.string().regex(/^[a-z][a-zA-Z0-9]*$/, 'a name is lowerCamelCase');
const typeName = z.string().regex(/^[A-Z][a-zA-Z0-9]*$/, 'a type name is UpperCamelCase');
const doc = z.string().min(1);
const integerType = z.enum(['u8', 'u16', 'u32', 'i8', 'i16', 'i32']);
const resolution = z.union([
  z.number().positive(),
  z.string().regex(/^[1-9]\d*\/[1-9]\d*$/, 'a resolution is a number or a ratio such as 1/32767'),
]);

const headerField = <N extends string, T extends string>(fieldName: N, type: T) =>
  z.strictObject({ name: z.literal(fieldName), type: z.literal(type), unit: z.string().optional(), doc });

/** Physical value, name of an enum's value or text that a sender puts when it has nothing to say. Without one, always stated. */
const defaultValue = z.union([z.number(), z.string(), z.array(z.number())]);

const bitSchema = z.strictObject({
  name,
  width: z.number().int().min(1).max(32),
  enum: typeName.optional(),
  default: z.literal([0, 1]).optional(),
  doc,
});

const fieldSchema = z.strictObject({
  name,
  type: z.union([integerType, z.literal('char')]),
  count: z.number().int().min(1).optional(),
  resolution: resolution.optional(),
  unit: z.string().min(1).optional(),
  enum: typeName.optional(),
  bitset: typeName.optional(),
  bits: z.array(bitSchema).min(1).optional(),
  default: defaultValue.optional(),
  doc,
});

const messageSchema = z.strictObject({
  type: z.number().int().min(0).max(0xff),
  direction: z.enum(['both', 'mcu-to-host', 'host-to-mcu']),
  doc,
  fields: z.array(fieldSchema).min(1),
});

export const protocolSchema = z
  .strictObject({
    protocol: z.strictObject({
      version: z.number().int().min(1).max(0xff),
      // One COBS block holds 254 bytes: up to here a frame costs exactly one byte of overhead.
      maxPayload: z
        .number()
        .int()
        .min(1)
        .max(254 - 11),
    }),
    // frame.ts writes header and trailer by hand, so no others can be described.
    frame: z.strictObject({
      header: z.tuple([headerField('type', 'u8'), headerField('sequence', 'u16'), headerField('time', 'u32')]),
      trailer: z.tuple([headerField('crc32', 'u32')]),
    }),
    enums: z.record(
      typeName,
      z.strictObject({
        doc,
        values: z.array(z.strictObject({ name, value: z.number().int().min(0).max(0xff), doc })).min(1),
      }),
    ),
    bitsets: z.record(
      typeName.regex(/s$/, 'a bitset is named in the plural'),
      z.strictObject({ doc, bits: z.array(z.strictObject({ name, doc })).min(1) }),
    ),
    messages: z.record(name, messageSchema),
  })
  .superRefine(check);

export type Protocol = z.output<typeof protocolSchema>;
export type Message = z.output<typeof messageSchema>;
export type Field = z.output<typeof fieldSchema>;
type Path = (string | number)[];

/** The rules that span several keys. Every problem is reported at its own key. */
function check(protocol: Protocol, context: z.RefinementCtx<Protocol>): void {
  const problem = (path: Path, message: string) => context.addIssue({ code: 'custom', path, message });
  const unique = (path: Path, what: string, values: readonly (string | number)[]) => {
    for (const value of new Set(values.filter((each, i) => values.indexOf(each) !== i))) {
      problem(path, `${what} ${value} is used twice`);
    }
  };

  for (const [enumName, { values }] of Object.entries(protocol.enums)) {
    const path = ['enums', enumName, 'values'];
    unique(path, 'name', pluck(values, 'name'));
    unique(path, 'value', pluck(values, 'value'));
  }
  for (const [setName, { bits }] of Object.entries(protocol.bitsets)) {
    unique(['bitsets', setName, 'bits'], 'name', pluck(bits, 'name'));
  }
  const typeNames = Object.keys(protocol.messages).map(capitalised);
  unique(['messages'], 'type code', pluck(Object.values(protocol.messages), 'type'));
  unique(['messages'], 'type name', [...Object.keys(protocol.enums), ...Object.keys(protocol.bitsets), ...typeNames]);

  for (const [kind, message] of Object.entries(protocol.messages)) {
    const path = ['messages', kind];
    // `kind` is the discriminator of the decoded union.
    const names = ['kind', ...message.fields.flatMap((field) => field.bits?.map((bit) => bit.name) ?? [field.name])];
    unique([...path, 'fields'], 'name', names);
    for (const [i, field] of message.fields.entries()) {
      for (const text of fieldProblems(field, protocol)) problem([...path, 'fields', i], text);
    }
    const size = payloadSize(message);
    if (size > protocol.protocol.maxPayload) problem(path, `${size} bytes of payload exceed maxPayload`);
    if (kind === 'sensors' && wireSize(message) > MAX_SENSORS_WIRE_SIZE) {
      problem(path, `${wireSize(message)} bytes on the wire exceed the ${MAX_SENSORS_WIRE_SIZE} that fit the rates`);
    }
  }
}

function fieldProblems(field: Field, protocol: Protocol): string[] {
  const problems: string[] = [];
  const width = 8 * sizeOf(field.type);
  const roles = [field.resolution, field.enum, field.bitset, field.bits].filter((role) => role !== undefined);
  if (roles.length > 1) problems.push('resolution, enum, bitset and bits exclude each other');
  const counts = field.resolution !== undefined || roles.length === 0;
  if (field.type === 'char' && roles.length > 0) problems.push('char is text and has no resolution, enum or bits');
  if (!counts && field.count !== undefined) problems.push('enum, bitset and bits cannot be repeated');
  if (!counts && field.type.startsWith('i')) problems.push('enum, bitset and bits need an unsigned type');

  if (field.default !== undefined && !defaultFits(field, protocol)) {
    problems.push(`default ${JSON.stringify(field.default)} is no value of this field`);
  }

  const enumFits = (enumName: string, bits: number) => {
    const values = protocol.enums[enumName]?.values;
    if (!values) problems.push(`enum ${enumName} does not exist`);
    else if (values.some(({ value }) => value >= 2 ** bits)) problems.push(`${enumName} does not fit ${bits} bits`);
  };
  if (field.enum) enumFits(field.enum, width);
  if (field.bitset) {
    const set = protocol.bitsets[field.bitset];
    if (!set) problems.push(`bitset ${field.bitset} does not exist`);
    else if (set.bits.length > width) problems.push(`${field.bitset} does not fit ${width} bits`);
  }
  if (field.bits) {
    const sum = field.bits.reduce((total, bit) => total + bit.width, 0);
    if (sum > width) problems.push(`${sum} bits do not fit ${field.type}`);
    for (const bit of field.bits) {
      if (bit.enum) enumFits(bit.enum, bit.width);
      else if (bit.width !== 1) problems.push(`${bit.name}: more than one bit needs an enum`);
    }
  }
  return problems;
}

function defaultFits(field: Field, protocol: Protocol): boolean {
  const value = field.default;
  if (field.type === 'char') return typeof value === 'string' && Buffer.byteLength(value) <= (field.count ?? 1);
  if (field.bits) return false; // each bit has its own
  if (field.enum) return protocol.enums[field.enum]?.values.some(({ name }) => name === value) ?? false;
  if (Array.isArray(value) && value.length !== field.count) return false;
  return rawDefault(field).every((raw) => typeof raw === 'number' && isOnWire(raw, field.type));
}

const isOnWire = (raw: number, type: Field['type']): boolean =>
  type !== 'char' && Number.isInteger(raw) && raw >= WIRE_TYPES[type].min && raw <= WIRE_TYPES[type].max;

/** Raw integers of a numeric field's default, one for each of its `count`; zeros if it has none. */
export function rawDefault(field: Field): number[] {
  const { default: value = 0, count = 1 } = field;
  const physical = Array.isArray(value) ? value : Array.from({ length: count }, () => Number(value));
  return physical.map((each) => Math.round(each / resolutionOf(field)));
}

const pluck = <T, K extends keyof T>(items: readonly T[], key: K): T[K][] => items.map((item) => item[key]);

export const capitalised = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

export const sizeOf = (type: Field['type']): number => (type === 'char' ? 1 : WIRE_TYPES[type].size);

const sumOfSizes = (fields: readonly { type: Field['type']; count?: number | undefined }[]): number =>
  fields.reduce((total, field) => total + sizeOf(field.type) * (field.count ?? 1), 0);

/** Bytes of payload of a message. */
export const payloadSize = (message: Message): number => sumOfSizes(message.fields);

/** Bytes of a message on the wire: header 7, crc 4, COBS overhead 1, delimiter 1. */
export const wireSize = (message: Message): number => 7 + payloadSize(message) + 4 + 1 + 1;

/** A resolution as a number: `1/32767` and `0.005` alike. */
export function resolutionOf(field: Field): number {
  const [numerator, denominator = '1'] = String(field.resolution ?? 1).split('/');
  return Number(numerator) / Number(denominator);
}

/** Every field with its offset in the payload. */
export function layout(message: Message): { field: Field; offset: number }[] {
  let offset = 0;
  return message.fields.map((field) => {
    const placed = { field, offset };
    offset += sumOfSizes([field]);
    return placed;
  });
}

/**
 * CRC-32 of all that decides how bytes are read, in a fixed order: not docs, not comments, not the order of enums in the
 * file. Units belong to it: a field that changes from ms to µs with the same bytes is the worst misreading of all.
 */
export function schemaHash(protocol: Protocol): number {
  const sorted = <T>(record: Record<string, T>) =>
    Object.entries(record).sort(([left], [right]) => (left < right ? -1 : 1));
  const meaning = {
    maxPayload: protocol.protocol.maxPayload,
    header: protocol.frame.header.map(({ name, type, unit }) => [name, type, unit ?? '']),
    trailer: protocol.frame.trailer.map(({ name, type, unit }) => [name, type, unit ?? '']),
    enums: sorted(protocol.enums).map(([key, { values }]) => [key, values.map(({ name, value }) => [name, value])]),
    bitsets: sorted(protocol.bitsets).map(([key, { bits }]) => [key, pluck(bits, 'name')]),
    messages: sorted(protocol.messages).map(([kind, { type, direction, fields }]) => [
      kind,
      type,
      direction,
      fields.map((field) => [
        field.name,
        field.type,
        field.count ?? 1,
        resolutionOf(field),
        field.unit ?? '',
        field.enum ?? field.bitset ?? '',
        (field.bits ?? []).map(({ name, width, enum: of }) => [name, width, of ?? '']),
      ]),
    ]),
  };
  return crc32(new TextEncoder().encode(JSON.stringify(meaning)));
}

const MESSAGES_YAML = fileURLToPath(new URL('../messages.yaml', import.meta.url));

/** @throws EdgeError `fileUnreadable` or `fileInvalid`, with file and line of every problem */
export const readProtocol = (path = MESSAGES_YAML): Protocol => readYamlFile(path, protocolSchema, 'fileInvalid');
