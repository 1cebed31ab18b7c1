import { comment } from './comment.ts';
import {
  type Field,
  layout,
  type Message,
  type Protocol,
  payloadSize,
  rawDefault,
  resolutionOf,
  schemaHash,
  sizeOf,
} from './schema.ts';

/**
 * Prints c/h2o_messages.h and .c: the messages as C99 structs of raw integers, as they are on the wire, so that a decoded
 * value is exact and costs no arithmetic. Physical value = raw × the resolution beside it.
 */

const GENERATED = '/* Generated from messages.yaml by `npm run generate`. Do not edit. */';

export function generateCHeader(protocol: Protocol): string {
  const messages = Object.entries(protocol.messages);
  return [
    GENERATED,
    '#ifndef H2O_MESSAGES_H',
    '#define H2O_MESSAGES_H',
    '',
    '#include <stdbool.h>',
    '#include <stdint.h>',
    '',
    '/** Version of PROTOCOL.md. */',
    `#define H2O_PROTOCOL_VERSION ${protocol.protocol.version}u`,
    '/** CRC-32 of the meaning of messages.yaml: ends with different hashes would misread each other. */',
    `#define H2O_SCHEMA_HASH ${hex(schemaHash(protocol), 8)}u`,
    '/** Most bytes of payload that a receiver takes. */',
    `#define H2O_MAX_PAYLOAD ${protocol.protocol.maxPayload}u`,
    '/** Kinds of messages. */',
    `#define H2O_TYPE_COUNT ${messages.length}`,
    '',
    ...Object.entries(protocol.enums).flatMap(([name, { doc, values }]) => enumeration(name, doc, values)),
    ...Object.entries(protocol.bitsets).flatMap(([name, { doc, bits }]) => bitset(name, doc, bits)),
    '/** Type byte of each message. */',
    'typedef enum h2o_type {',
    ...messages.map(([kind, { type }]) => `  H2O_${upper(kind)} = ${hex(type, 2)},`),
    '} h2o_type;',
    '',
    'typedef enum h2o_direction { H2O_BOTH, H2O_MCU_TO_HOST, H2O_HOST_TO_MCU } h2o_direction;',
    '',
    'typedef struct h2o_type_info {',
    '  uint8_t type;',
    '  /** bytes */',
    '  uint8_t payload_size;',
    '  h2o_direction direction;',
    '} h2o_type_info;',
    '',
    '/** All types, in the order of messages.yaml. */',
    'extern const h2o_type_info h2o_types[H2O_TYPE_COUNT];',
    '',
    ...messages.flatMap(([kind, message]) => struct(kind, message)),
    '/** Any message; `type` says which member holds it. */',
    'typedef struct h2o_message {',
    '  h2o_type type;',
    '  union {',
    ...messages.map(([kind]) => `    h2o_${snake(kind)} ${snake(kind)};`),
    '  } as;',
    '} h2o_message;',
    '',
    '/** Writes the payload of a message, `payload_size` bytes of its type. */',
    'void h2o_encode_payload(const h2o_message *message, uint8_t *payload);',
    '',
    '/**',
    ' * Reads the payload of `message->type`, which must be one of `h2o_types`.',
    ' * Returns false if an enum field holds a number without a name (PROTOCOL.md §3.9).',
    ' */',
    'bool h2o_decode_payload(h2o_message *message, const uint8_t *payload);',
    '',
    '#endif',
    '',
  ].join('\n');
}

export function generateCSource(protocol: Protocol): string {
  const messages = Object.entries(protocol.messages);
  const dispatch = (line: (kind: string) => string) => [
    '  switch (message->type) {',
    ...messages.map(([kind]) => `    case H2O_${upper(kind)}:\n      ${line(snake(kind))}`),
  ];
  return [
    GENERATED,
    '#include "h2o_messages.h"',
    '',
    '#include "h2o_bytes.h"',
    '',
    'const h2o_type_info h2o_types[H2O_TYPE_COUNT] = {',
    ...messages.map(
      ([kind, message]) => `    {H2O_${upper(kind)}, ${payloadSize(message)}u, H2O_${upper(message.direction)}},`,
    ),
    '};',
    '',
    ...messages.flatMap(([kind, message]) => [
      ...defaults(kind, message),
      ...encoder(kind, message),
      ...decoder(kind, message, protocol),
    ]),
    'void h2o_encode_payload(const h2o_message *message, uint8_t *payload) {',
    ...dispatch((name) => `encode_${name}(&message->as.${name}, payload);\n      break;`),
    '  }',
    '}',
    '',
    'bool h2o_decode_payload(h2o_message *message, const uint8_t *payload) {',
    ...dispatch((name) => `return decode_${name}(&message->as.${name}, payload);`),
    '  }',
    '  return false;',
    '}',
    '',
  ].join('\n');
}

function enumeration(name: string, doc: string, values: { name: string; value: number; doc: string }[]): string[] {
  return [
    comment(doc),
    `typedef enum h2o_${snake(name)} {`,
    ...values.flatMap((value) => [
      comment(value.doc, 2),
      `  H2O_${upper(name)}_${upper(value.name)} = ${value.value},`,
    ]),
    `} h2o_${snake(name)};`,
    '',
  ];
}

function bitset(name: string, doc: string, bits: { name: string; doc: string }[]): string[] {
  return [
    comment(doc),
    'enum {',
    ...bits.flatMap((bit, index) => [
      comment(inC(bit.doc), 2),
      `  H2O_${upper(name)}_${upper(bit.name)} = ${hex(2 ** index, 4)},`,
    ]),
    '};',
    '',
  ];
}

function struct(kind: string, message: Message): string[] {
  const members = message.fields.flatMap((field) =>
    field.bits
      ? field.bits.flatMap((bit) => [
          comment(inC(bit.doc), 2),
          `  ${bit.enum ? `h2o_${snake(bit.enum)}` : 'bool'} ${snake(bit.name)};`,
        ])
      : [comment(inC(fieldDoc(field)), 2), `  ${fieldType(field)} ${snake(field.name)}${dimension(field)};`],
  );
  const scaled = message.fields.filter((field) => resolutionOf(field) !== 1);
  return [
    ...scaled.flatMap((field) => [
      `/** ${unitOf(field)} of one count of ${snake(kind)}.${snake(field.name)} */`,
      `#define ${resolutionName(kind, field)} ${resolutionText(field)}`,
    ]),
    ...(scaled.length > 0 ? [''] : []),
    comment(inC(message.doc)),
    `typedef struct h2o_${snake(kind)} {`,
    ...members,
    `} h2o_${snake(kind)};`,
    '',
    '/** What a sender puts that has nothing to say. */',
    `extern const h2o_${snake(kind)} h2o_${snake(kind)}_default;`,
    '',
  ];
}

function defaults(kind: string, message: Message): string[] {
  const members = message.fields.flatMap((field) => {
    if (field.bits) {
      return field.bits
        .filter((bit) => bit.default)
        .map((bit) => `    .${snake(bit.name)} = ${bit.default === 1 ? 'true' : 'false'},`);
    }
    if (field.type === 'char' || field.enum) {
      return []; // the empty text, and the value 0, are what C gives by itself
    }
    const raw = rawDefault(field);
    if (raw.every((value) => value === 0)) return [];
    return [`    .${snake(field.name)} = ${field.count === undefined ? raw[0] : `{${raw.join(', ')}}`},`];
  });
  const head = `const h2o_${snake(kind)} h2o_${snake(kind)}_default = {`;
  return members.length === 0 ? [`${head}0};`, ''] : [head, ...members, '};', ''];
}

function encoder(kind: string, message: Message): string[] {
  const lines = layout(message).flatMap(({ field, offset }) => {
    const name = `message->${snake(field.name)}`;
    const { type } = field;
    if (type === 'char') return [`h2o_put_text(payload + ${offset}, ${name}, ${field.count ?? 1}u);`];
    if (field.bits) {
      let shift = 0;
      const bits = field.bits.map((bit) => {
        const from = shift;
        shift += bit.width;
        const value = `message->${snake(bit.name)}`;
        return bit.enum
          ? `((unsigned)${value} & ${hex(2 ** bit.width - 1, 2)}u) << ${from}`
          : `(${value} ? ${hex(2 ** from, 2)}u : 0u)`;
      });
      return [
        `h2o_put_${type}(payload + ${offset}, (${cType(type)})(${bits.join(' |\n                                  ')}));`,
      ];
    }
    const put = (index: string, where: string) => {
      const value = name + index;
      return `h2o_put_${type}(payload + ${where}, ${field.enum ? `(${cType(type)})${value}` : value});`;
    };
    return eachElement(field, offset, put);
  });
  return [
    `static void encode_${snake(kind)}(const h2o_${snake(kind)} *message, uint8_t *payload) {`,
    ...lines.map((line) => `  ${line}`),
    '}',
    '',
  ];
}

function decoder(kind: string, message: Message, protocol: Protocol): string[] {
  const lines = layout(message).flatMap(({ field, offset }) => {
    const name = `message->${snake(field.name)}`;
    if (field.bits) {
      let shift = 0;
      return [
        `const unsigned ${snake(field.name)} = h2o_get_${field.type}(payload + ${offset});`,
        ...field.bits.flatMap((bit) => {
          const from = shift;
          shift += bit.width;
          if (!bit.enum) return [`message->${snake(bit.name)} = (${snake(field.name)} & ${hex(2 ** from, 2)}u) != 0u;`];
          const number = `(${snake(field.name)} >> ${from}) & ${hex(2 ** bit.width - 1, 2)}u`;
          return enumValue(bit.name, bit.enum, number, protocol);
        }),
      ];
    }
    if (field.type === 'char') return [`h2o_get_text(${name}, payload + ${offset}, ${field.count ?? 1}u);`];
    if (field.enum) return enumValue(field.name, field.enum, `h2o_get_${field.type}(payload + ${offset})`, protocol);
    return eachElement(field, offset, (index, where) => `${name}${index} = h2o_get_${field.type}(payload + ${where});`);
  });
  return [
    `static bool decode_${snake(kind)}(h2o_${snake(kind)} *message, const uint8_t *payload) {`,
    ...lines.map((line) => `  ${line}`),
    '  return true;',
    '}',
    '',
  ];
}

/** Only a number that names something may become a value of the enum. */
function enumValue(name: string, of: string, number: string, protocol: Protocol): string[] {
  const values = (protocol.enums[of]?.values ?? []).map(({ value }) => value).sort((a, b) => a - b);
  const dense = values.every((value, index) => value === index);
  const raw = `${snake(name)}_number`;
  const bad = dense ? `${raw} > ${values.length - 1}u` : values.map((value) => `${raw} != ${value}u`).join(' && ');
  return [
    `const unsigned ${raw} = ${number};`,
    `if (${bad}) return false;`,
    `message->${snake(name)} = (h2o_${snake(of)})${raw};`,
  ];
}

function eachElement(field: Field, offset: number, line: (index: string, where: string) => string): string[] {
  if (field.count === undefined) return [line('', String(offset))];
  const stride = sizeOf(field.type);
  const where = stride === 1 ? `${offset} + i` : `${offset} + ${stride} * i`;
  return [`for (int i = 0; i < ${field.count}; i++) ${line('[i]', where)}`];
}

const cType = (type: Exclude<Field['type'], 'char'>): string =>
  `${type.startsWith('i') ? 'int' : 'uint'}${type.slice(1)}_t`;

function fieldType(field: Field): string {
  if (field.type === 'char') return 'char';
  return field.enum ? `h2o_${snake(field.enum)}` : cType(field.type);
}

const dimension = (field: Field): string => (field.count === undefined ? '' : `[${field.count}]`);

function fieldDoc(field: Field): string {
  const scaled = resolutionOf(field) !== 1;
  const unit = scaled ? `[${String(field.resolution)} ${unitOf(field)}] ` : field.unit ? `[${field.unit}] ` : '';
  const masks = field.bitset ? `; bits H2O_${upper(field.bitset)}_…` : '';
  return `${unit}${field.doc}${field.type === 'char' ? '; not ended by a zero when full' : ''}${masks}`;
}

/** Names in a doc text as they are in C. */
const inC = (doc: string): string => doc.replace(/\b[a-z]+[A-Z]\w*/g, snake);

const unitOf = (field: Field): string => field.unit ?? '1';

const resolutionName = (kind: string, field: Field): string => `H2O_${upper(kind)}_${upper(field.name)}_RESOLUTION`;

/** As a C float constant: a ratio stays one. */
function resolutionText(field: Field): string {
  const float = (number: string) => `${number}${/[.e]/.test(number) ? '' : '.0'}f`;
  const [numerator = '1', denominator] = String(field.resolution ?? 1).split('/');
  return denominator === undefined ? float(numerator) : `(${float(numerator)} / ${float(denominator)})`;
}

export const snake = (name: string): string =>
  name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll('-', '_')
    .toLowerCase();
export const upper = (name: string): string => snake(name).toUpperCase();
const hex = (value: number, digits: number): string => `0x${value.toString(16).padStart(digits, '0')}`;
