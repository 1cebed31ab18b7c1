import { snake, upper } from './c.ts';
import type { Message, Protocol } from './schema.ts';
import type { FrameVector, StreamVector, Vectors } from './vectors.ts';

/** Prints test/vectors.gen.h: the golden vectors as C, so that any board can be held to them without a JSON reader. */
export function generateCVectors(protocol: Protocol, { frames, streams }: Vectors): string {
  return [
    '/* Generated from messages.yaml by `npm run generate`. Do not edit. */',
    '#include "h2o_link.h"',
    '#include "vectors.h"',
    '',
    ...frames.map((vector, i) => bytes(`frame_${i}`, vector.wire)),
    'static const frame_vector frame_vectors[] = {',
    ...frames.map((vector, i) => frame(protocol, vector, i)),
    '};',
    '',
    ...streams.map((vector, i) => bytes(`stream_${i}`, vector.wire)),
    'static const stream_vector stream_vectors[] = {',
    ...streams.map(stream),
    '};',
    '',
    ...Object.entries(protocol.messages).map(([kind, message]) => same(kind, message)),
    'static bool same_message(const h2o_message *left, const h2o_message *right) {',
    '  if (left->type != right->type) return false;',
    '  switch (left->type) {',
    ...Object.keys(protocol.messages).map(
      (kind) =>
        `    case H2O_${upper(kind)}:\n      return same_${snake(kind)}(&left->as.${snake(kind)}, &right->as.${snake(kind)});`,
    ),
    '  }',
    '  return false;',
    '}',
    '',
  ].join('\n');
}

const bytes = (name: string, hex: string): string =>
  `static const uint8_t ${name}[] = {${(hex.match(/../g) ?? []).map((byte) => `0x${byte}`).join(', ')}};\n`;

const text = (value: string): string => `"${value}"`;

const sender = (from: string): string => (from === 'host' ? 'H2O_FROM_HOST' : 'H2O_FROM_MCU');

function frame(protocol: Protocol, vector: FrameVector, index: number): string {
  const message = protocol.messages[vector.message];
  const members = (message?.fields ?? []).flatMap((field) => {
    const member = (name: string, of: string | undefined): string => {
      const value = vector.raw[name] ?? 0;
      const literal = (each: number) =>
        each === -(2 ** 31) ? 'INT32_MIN' : each > 0x7fffffff ? `${each}u` : `${each}`;
      if (typeof value === 'string') return `.${snake(name)} = {${characters(value, field.count ?? 1)}}`;
      if (Array.isArray(value)) return `.${snake(name)} = {${value.map(literal).join(', ')}}`;
      return `.${snake(name)} = ${of ? `(h2o_${snake(of)})` : ''}${literal(value)}`;
    };
    return field.bits ? field.bits.map((bit) => member(bit.name, bit.enum)) : [member(field.name, field.enum)];
  });
  const content = `{.type = H2O_${upper(vector.message)}, .as = {.${snake(vector.message)} = {${members.join(', ')}}}}`;
  return `    {${text(vector.name)}, ${sender(vector.from)}, ${vector.sequence}u, ${vector.time}u, frame_${index}, sizeof frame_${index},\n     ${content}},`;
}

/** Bytes of the UTF-8, one by one: `char` may be signed. */
function characters(value: string, size: number): string {
  const utf8 = [...Buffer.from(value)].slice(0, size);
  return utf8.length === 0 ? '0' : utf8.map((byte) => `(char)0x${byte.toString(16)}`).join(', ');
}

function stream(vector: StreamVector, index: number): string {
  const counts = Object.entries(vector.counts).map(([name, count]) => `.${snake(name)} = ${count}u`);
  const accepts = vector.accepts.map(({ type, sequence }) => `{${type}u, ${sequence}u}`).join(', ');
  return `    {${text(vector.name)}, ${sender(vector.from)}, stream_${index}, sizeof stream_${index}, {${counts.join(', ') || '0'}}, {${accepts || '{0, 0}'}}},`;
}

function same(kind: string, message: Message): string {
  const members = message.fields.flatMap((field) => {
    if (field.bits) return field.bits.map((bit) => `left->${snake(bit.name)} == right->${snake(bit.name)}`);
    const name = snake(field.name);
    // arrays of integers have no padding
    if (field.count !== undefined) return [`memcmp(left->${name}, right->${name}, sizeof left->${name}) == 0`];
    return [`left->${name} == right->${name}`];
  });
  return [
    `static bool same_${snake(kind)}(const h2o_${snake(kind)} *left, const h2o_${snake(kind)} *right) {`,
    `  return ${members.join(' &&\n         ')};`,
    '}',
    '',
  ].join('\n');
}
