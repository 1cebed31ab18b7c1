import { comment } from './comment.ts';
import {
  capitalised,
  type Field,
  type IntegerType,
  layout,
  type Message,
  type Protocol,
  payloadSize,
  resolutionOf,
  schemaHash,
  WIRE_TYPES,
} from './schema.ts';

/** Prints src/protocol/messages.gen.ts, already in the shape that biome gives it (a test holds the two together). */
export function generateTypeScript(protocol: Protocol): string {
  const messages = Object.entries(protocol.messages);
  const used = (Object.keys(WIRE_TYPES) as IntegerType[]).filter((type) =>
    messages.some(([, message]) => message.fields.some((field) => field.type === type)),
  );
  return [
    '// Generated from firmware-protocol/messages.yaml by `npm run generate`. Do not edit.',
    "import { quantise } from './quantise.ts';\nimport { readText, writeText } from './text.ts';\n",
    ...constants(protocol),
    ...Object.entries(protocol.enums).flatMap(([name, { doc, values }]) => enumeration(name, doc, values)),
    ...Object.entries(protocol.bitsets).flatMap(([name, { doc, bits }]) => bitset(name, doc, bits)),
    ...messages.map(([kind, message]) => messageInterface(kind, message)),
    `${union(
      'Message',
      messages.map(([kind]) => capitalised(kind)),
    )}\n`,
    '/** The message type of a kind. */',
    'export type MessageOf<K extends MessageKind> = Extract<Message, { kind: K }>;\n',
    '/** Physical value of one count of each numeric field, in the unit of the field. */',
    'export const RESOLUTION = {',
    ...messages.flatMap(([kind, message]) => resolutions(kind, message)),
    '} as const;\n',
    ...used.map(rangeHelper),
    ...messages.flatMap(([kind, message]) => [encoder(kind, message), decoder(kind, message)]),
    ...dispatch(messages.map(([kind]) => kind)),
    '',
  ].join('\n');
}

function constants(protocol: Protocol): string[] {
  const messages = Object.entries(protocol.messages);
  const hash = hex(schemaHash(protocol), 8);
  return [
    '/** Version of PROTOCOL.md. */',
    `export const PROTOCOL_VERSION = ${protocol.protocol.version};\n`,
    '/** CRC-32 of the meaning of messages.yaml: ends with different hashes would misread each other. */',
    `export const SCHEMA_HASH = ${hash};\n`,
    '/** Most bytes of payload that a receiver takes. */',
    `export const MAX_PAYLOAD = ${protocol.protocol.maxPayload};\n`,
    '/** Type byte of each kind of message. */',
    'export const MessageType = {',
    ...messages.map(([kind, { type }]) => `  ${kind}: ${hex(type, 2)},`),
    '} as const;',
    'export type MessageKind = keyof typeof MessageType;\n',
    '/** Who sends each kind of message. */',
    'export const DIRECTION = {',
    ...messages.map(([kind, { direction }]) => `  ${kind}: '${direction}',`),
    '} as const;\n',
    '/** Bytes of payload of each kind of message. */',
    'export const PAYLOAD_SIZE = {',
    ...messages.map(([kind, message]) => `  ${kind}: ${payloadSize(message)},`),
    '} as const;\n',
    '/** Kind of message of a type byte; undefined if there is none. */',
    'export function kindOfType(type: number): MessageKind | undefined {',
    '  switch (type) {',
    ...messages.map(([kind, { type }]) => `    case ${hex(type, 2)}:\n      return '${kind}';`),
    '    default:\n      return undefined;\n  }\n}\n',
  ];
}

function enumeration(name: string, doc: string, values: { name: string; value: number; doc: string }[]): string[] {
  const byValue = Array.from({ length: Math.max(...values.map(({ value }) => value)) + 1 }, (_, number) => {
    const found = values.find(({ value }) => value === number);
    return found ? `'${found.name}'` : 'undefined';
  });
  return [
    comment(doc),
    `export const ${name} = {`,
    ...values.map((value) => `${comment(value.doc, 2)}\n  ${value.name}: '${value.name}',`),
    '} as const;',
    `export type ${name} = (typeof ${name})[keyof typeof ${name}];\n`,
    `/** Number on the wire of each ${name}. */`,
    `export const ${name}Value = {`,
    ...values.map((value) => `  ${value.name}: ${value.value},`),
    '} as const;\n',
    `/** ${name} of each number on the wire. */`,
    `${list(`export const ${name}ByValue: readonly (${name} | undefined)[] = [`, byValue, '];')}\n`,
  ];
}

function bitset(name: string, doc: string, bits: { name: string; doc: string }[]): string[] {
  const singular = name.slice(0, -1);
  const variable = singular.charAt(0).toLowerCase() + singular.slice(1);
  const names = bits.map((bit) => `'${bit.name}'`);
  return [
    comment(`${doc} Masks of a number on the wire.`),
    `export const ${name} = {`,
    ...bits.map((bit, index) => `${comment(bit.doc, 2)}\n  ${bit.name}: ${hex(2 ** index, 4)},`),
    '} as const;',
    `export type ${singular}Name = keyof typeof ${name};\n`,
    `${list(`const ${variable}NamesByBit: readonly ${singular}Name[] = [`, names, '];')}\n`,
    `/** Names of the bits that are set. A bit without a name is left out here; it stays in the number. */`,
    `export function ${variable}Names(bits: number): ${singular}Name[] {`,
    `  return ${variable}NamesByBit.filter((_, bit) => ((bits >>> bit) & 1) === 1);`,
    '}\n',
  ];
}

function messageInterface(kind: string, message: Message): string {
  const members = message.fields.flatMap((field) => {
    if (field.bits) {
      return field.bits.map((bit) => member(bit.name, bit.enum ?? 'boolean', bit.doc));
    }
    const one = field.type === 'char' ? 'string' : (field.enum ?? 'number');
    const many = one === 'number' && field.count !== undefined;
    const type = many ? `readonly [${Array(field.count).fill(one).join(', ')}]` : one;
    const unit = field.unit && field.unit !== '1' ? `[${field.unit}] ` : '';
    const masks = field.bitset ? `; masks in \`${field.bitset}\`` : '';
    return [member(field.name, type, unit + field.doc + masks)];
  });
  return [
    comment(message.doc),
    `export interface ${capitalised(kind)} {`,
    `  readonly kind: '${kind}';`,
    ...members,
    '}\n',
  ].join('\n');
}

const member = (name: string, type: string, doc: string): string => `${comment(doc, 2)}\n  readonly ${name}: ${type};`;

function resolutions(kind: string, message: Message): string[] {
  const numeric = message.fields.filter(
    (field) => field.type !== 'char' && !field.enum && !field.bitset && !field.bits,
  );
  return [`  ${kind}: {`, ...numeric.map((field) => `    ${field.name}: ${ratio(field)},`), '  },'];
}

function rangeHelper(type: IntegerType): string {
  const { min, max } = WIRE_TYPES[type];
  const head = `function ${type}(value: number, resolution: number, field: string): number {`;
  return `${head}\n  return quantise(value, resolution, ${min}, ${max}, field);\n}\n`;
}

function encoder(kind: string, message: Message): string {
  const lines = layout(message).flatMap(({ field, offset }) => encodeField(kind, field, offset));
  const head = `function encode${capitalised(kind)}(message: ${capitalised(kind)}, view: DataView, at: number): void {`;
  return [head, ...lines.map((line) => `  ${line}`), '}\n'].join('\n');
}

function encodeField(kind: string, field: Field, offset: number): string[] {
  if (field.type === 'char') return [`writeText(message.${field.name}, view, ${at(offset)}, ${field.count ?? 1});`];
  const { type } = field;
  const set = (where: number, value: string) => {
    const order = WIRE_TYPES[type].size > 1 ? ', true' : '';
    return `view.set${WIRE_TYPES[type].accessor}(${at(where)}, ${value}${order});`;
  };
  const raw = (value: string, name: string) => `${type}(${value}, ${ratio(field)}, '${kind}.${name}')`;

  if (field.bits) {
    let shift = 0;
    const lines = field.bits.map((bit) => {
      const from = shift;
      shift += bit.width;
      if (!bit.enum) return `if (message.${bit.name}) ${field.name} |= ${hex(2 ** from, 2)};`;
      const value = raw(`${bit.enum}Value[message.${bit.name}]`, bit.name);
      return `${field.name} |= ${value}${from > 0 ? ` << ${from}` : ''};`;
    });
    return [`let ${field.name} = 0;`, ...lines, set(offset, field.name)];
  }
  if (field.enum) return [set(offset, raw(`${field.enum}Value[message.${field.name}]`, field.name))];
  if (field.count === undefined) return [set(offset, raw(`message.${field.name}`, field.name))];
  return Array.from({ length: field.count }, (_, index) => {
    const element = `${field.name}[${index}]`;
    return set(offset + index * WIRE_TYPES[type].size, raw(`message.${element}`, element));
  });
}

function decoder(kind: string, message: Message): string {
  const before: string[] = [];
  const members = [`kind: '${kind}',`];
  let canFail = false;
  const enumValue = (name: string, of: string, number: string) => {
    canFail = true;
    before.push(`const ${name} = ${of}ByValue[${number}];`, `if (${name} === undefined) return undefined;`);
    members.push(`${name},`);
  };

  for (const { field, offset } of layout(message)) {
    if (field.type === 'char') {
      members.push(`${field.name}: readText(view, ${at(offset)}, ${field.count ?? 1}),`);
      continue;
    }
    const { size, accessor } = WIRE_TYPES[field.type];
    const get = (index: number) => `view.get${accessor}(${at(offset + index * size)}${size > 1 ? ', true' : ''})`;
    const scale = ratio(field).includes('/') ? ` * (${ratio(field)})` : ` * ${ratio(field)}`;
    const value = (index: number) => get(index) + (resolutionOf(field) === 1 ? '' : scale);

    if (field.bits) {
      before.push(`const ${field.name} = ${get(0)};`);
      let shift = 0;
      for (const bit of field.bits) {
        const mask = hex(2 ** bit.width - 1, 2);
        const shifted = shift > 0 ? `(${field.name} >>> ${shift})` : field.name;
        if (bit.enum) enumValue(bit.name, bit.enum, `${shifted} & ${mask}`);
        else members.push(`${bit.name}: (${field.name} & ${hex(2 ** shift, 2)}) !== 0,`);
        shift += bit.width;
      }
    } else if (field.enum) {
      enumValue(field.name, field.enum, get(0));
    } else if (field.count === undefined) {
      members.push(`${field.name}: ${value(0)},`);
    } else {
      const items = Array.from({ length: field.count }, (_, index) => value(index));
      members.push(list(`${field.name}: [`, items, '],', 4));
    }
  }
  const result = capitalised(kind) + (canFail ? ' | undefined' : '');
  return [
    `function decode${capitalised(kind)}(view: DataView, at: number): ${result} {`,
    ...before.map((line) => `  ${line}`),
    ...(members.join(' ').length < 80
      ? [`  return { ${members.join(' ').slice(0, -1)} };`]
      : ['  return {', ...members.map((line) => `    ${line}`), '  };']),
    '}\n',
  ].join('\n');
}

function dispatch(kinds: string[]): string[] {
  const each = (of: (kind: string) => string) => kinds.map((kind) => `    case '${kind}':\n${of(capitalised(kind))}`);
  return [
    '/**',
    ' * Writes the payload of a message.',
    ' *',
    ' * @returns number of bytes written, always `PAYLOAD_SIZE[message.kind]`',
    ' * @throws EdgeError `fieldOutOfRange` naming message and field if a number is NaN; all else is saturated',
    ' */',
    'export function encodePayload(message: Message, view: DataView, offset: number): number {',
    '  switch (message.kind) {',
    ...each((name) => `      encode${name}(message, view, offset);\n      break;`),
    '  }',
    '  return PAYLOAD_SIZE[message.kind];',
    '}\n',
    '/**',
    ' * Reads a payload of exactly `PAYLOAD_SIZE[kind]` bytes. Never throws for bytes.',
    ' *',
    ' * @returns undefined if an enum field holds a number that names nothing',
    ' */',
    'export function decodePayload(kind: MessageKind, view: DataView, offset: number): Message | undefined {',
    '  switch (kind) {',
    ...each((name) => `      return decode${name}(view, offset);`),
    '  }',
    '}',
  ];
}

const hex = (value: number, digits: number): string => `0x${value.toString(16).padStart(digits, '0')}`;
const at = (offset: number): string => (offset === 0 ? 'at' : `at + ${offset}`);
const ratio = (field: Field): string => String(field.resolution ?? 1).replace('/', ' / ');

/** `head a, b tail` on one line if biome would leave it there, else one item a line. */
function list(head: string, items: string[], tail: string, indent = 0): string {
  const line = head + items.join(', ') + tail;
  if (indent + line.length <= 120) return line;
  const margin = ' '.repeat(indent);
  return [head, ...items.map((item) => `${margin}  ${item},`), margin + tail].join('\n');
}

function union(name: string, members: string[]): string {
  const line = `export type ${name} = ${members.join(' | ')};`;
  return line.length <= 120 ? line : `export type ${name} =\n${members.map((item) => `  | ${item}`).join('\n')};`;
}
