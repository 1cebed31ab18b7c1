import { EdgeError } from '../../src/errors.ts';
import {
  type Field,
  layout,
  type Message,
  type Protocol,
  payloadSize,
  resolutionOf,
  schemaHash,
  WIRE_TYPES,
  wireSize,
} from './schema.ts';

/** Share of the wire that the regular traffic may take; the rest is for `hello`, `fault` and `estop`. */
const MAX_LOAD = 0.8;
/** 8N1: one start bit, eight data bits, one stop bit. */
const BITS_PER_BYTE = 10;
const BAUD_RATES = [115_200, 230_400, 460_800, 921_600, 1_000_000, 2_000_000, 3_000_000];
const SENSOR_RATES = [50, 100, 200, 400, 500, 1000];

/** The generated parts of PROTOCOL.md, by the name in their markers. */
export function generateTables(protocol: Protocol): Record<string, string> {
  return {
    identity: identity(protocol),
    types: types(protocol),
    messages: messages(protocol),
    enums: enums(protocol),
    rates: rates(protocol),
  };
}

/**
 * Puts each part between its markers `<!-- generated: NAME -->` and `<!-- end -->`.
 *
 * @throws EdgeError `fileInvalid` if a marker has no part, or a part has no marker
 */
export function fillTables(page: string, parts: Record<string, string>): string {
  const missing = new Set(Object.keys(parts));
  const filled = page.replace(/(<!-- generated: (\w+) -->\n).*?(<!-- end -->)/gs, (_, start, name, end) => {
    const part = parts[name];
    if (part === undefined) throw misplaced(name, 'is unknown');
    missing.delete(name);
    return `${start}\n${part}\n\n${end}`;
  });
  for (const name of missing) throw misplaced(name, 'is missing');
  return filled;
}

const misplaced = (name: string, what: string): EdgeError =>
  new EdgeError('fileInvalid', `PROTOCOL.md: marker "generated: ${name}" ${what}`, 'mend the marker in PROTOCOL.md');

function identity(protocol: Protocol): string {
  return table(
    ['', ''],
    [
      ['`protocolVersion`', String(protocol.protocol.version)],
      ['`schemaHash`', `\`0x${schemaHash(protocol).toString(16).padStart(8, '0')}\``],
      ['longest payload', `${protocol.protocol.maxPayload} bytes`],
    ],
  );
}

function types(protocol: Protocol): string {
  const rows = Object.entries(protocol.messages).map(([kind, message]) => [
    `\`${kind}\``,
    hex(message.type),
    message.direction.replaceAll('-', ' ').replaceAll('mcu', 'MCU'),
    String(payloadSize(message)),
    String(wireSize(message)),
  ]);
  return table(['message', 'type', 'direction', 'payload [bytes]', 'on the wire [bytes]'], rows);
}

function messages(protocol: Protocol): string {
  return Object.entries(protocol.messages)
    .map(([kind, message]) => `### \`${kind}\` (${hex(message.type)})\n\n${message.doc}\n\n${fields(message)}`)
    .join('\n\n');
}

function fields(message: Message): string {
  const rows = layout(message).flatMap(({ field, offset }) => {
    const row = [
      String(offset),
      `\`${field.name}\``,
      field.type + (field.count === undefined ? '' : ` × ${field.count}`),
      scaled(field) ? String(field.resolution) : '',
      range(field),
      unit(field),
      field.bits ? '' : defaultOf(field.default),
      field.doc,
    ];
    return [row, ...bits(field)];
  });
  return table(['offset', 'field', 'type', 'resolution', 'range', 'unit', 'default', 'meaning'], rows);
}

function bits(field: Field): string[][] {
  let shift = 0;
  return (field.bits ?? []).map((bit) => {
    const last = shift + bit.width - 1;
    const place = bit.width === 1 ? `bit ${shift}` : `bits ${shift}–${last}`;
    shift = last + 1;
    return [
      '',
      `\`${bit.name}\``,
      place,
      '',
      bit.enum ? `\`${bit.enum}\`` : '0, 1',
      '',
      defaultOf(bit.default),
      bit.doc,
    ];
  });
}

function range(field: Field): string {
  if (field.type === 'char') return 'UTF-8';
  if (field.bits) return 'bits';
  if (field.enum ?? field.bitset) return `\`${field.enum ?? field.bitset}\``;
  const { min, max } = WIRE_TYPES[field.type];
  const end = (raw: number) => (scaled(field) ? short(raw * resolutionOf(field)) : String(raw));
  return `${end(min)} … ${end(max)}`;
}

/** `–`: the sender always states it. */
function defaultOf(value: Field['default']): string {
  if (value === undefined) return '–';
  return value === '' ? 'empty' : Array.isArray(value) ? value.join(', ') : String(value);
}

const scaled = (field: Field): boolean => resolutionOf(field) !== 1;
const unit = (field: Field): string => (field.unit === '1' ? '' : (field.unit ?? ''));
/** At most six digits, without trailing zeros. */
const short = (value: number): string => String(Number(value.toPrecision(6)));
const hex = (type: number): string => `\`0x${type.toString(16).padStart(2, '0')}\``;

function enums(protocol: Protocol): string {
  const enumerations = Object.entries(protocol.enums).map(([name, { doc, values }]) => {
    const rows = values.map((value) => [String(value.value), `\`${value.name}\``, value.doc]);
    return `### \`${name}\`\n\n${doc}\n\n${table(['value', 'name', 'meaning'], rows)}`;
  });
  const bitsets = Object.entries(protocol.bitsets).map(([name, { doc, bits: all }]) => {
    const rows = all.map((bit, index) => [String(index), `\`${bit.name}\``, bit.doc]);
    return `### \`${name}\`\n\n${doc}\n\n${table(['bit', 'name', 'meaning'], rows)}`;
  });
  return [...enumerations, ...bitsets].join('\n\n');
}

/** Load of the busier direction: each direction has its own wire, `sensors` on one and as many `command` on the other. */
function rates(protocol: Protocol): string {
  const frame = Math.max(...['sensors', 'command'].map((kind) => sizeOnWire(protocol, kind)));
  const rows = BAUD_RATES.map((baud) => [
    String(baud),
    `${((frame * BITS_PER_BYTE * 1000) / baud).toFixed(2)} ms`,
    ...SENSOR_RATES.map((rate) => {
      const load = (rate * frame * BITS_PER_BYTE) / baud;
      return load > MAX_LOAD ? '–' : `${Math.ceil(load * 100)} %`;
    }),
    `${Math.floor((MAX_LOAD * baud) / (frame * BITS_PER_BYTE))} Hz`,
  ]);
  return table(['baud', 'one frame', ...SENSOR_RATES.map((rate) => `${rate} Hz`), 'fastest'], rows);
}

function sizeOnWire(protocol: Protocol, kind: string): number {
  const message = protocol.messages[kind];
  return message ? wireSize(message) : 0;
}

/** A table with its columns aligned, as biome formats Markdown. */
function table(head: string[], rows: string[][]): string {
  const widths = head.map((_, column) => Math.max(3, ...[head, ...rows].map((cells) => cells[column]?.length ?? 0)));
  const line = (cells: string[]) => `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}
