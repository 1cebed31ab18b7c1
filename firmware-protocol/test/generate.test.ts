import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { FrameEncoder } from '../../src/protocol/frame.ts';
import { MAX_FRAME_SIZE } from '../../src/protocol/frame-layout.ts';
import { PROTOCOL_VERSION, SCHEMA_HASH } from '../../src/protocol/messages.gen.ts';
import { parseYaml } from '../../src/yaml-file.ts';
import { isCurrent, outputs } from '../generate/generate.ts';
import { MAX_SENSORS_WIRE_SIZE, protocolSchema, readProtocol, schemaHash, wireSize } from '../generate/schema.ts';
import { fillTables } from '../generate/tables.ts';

const pathOf = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const yaml = readFileSync(pathOf('../messages.yaml'), 'utf8');
const page = readFileSync(pathOf('../PROTOCOL.md'), 'utf8');
const parse = (text: string) => parseYaml(text, 'messages.yaml', protocolSchema, 'fileInvalid');
/** The message file with one place changed. */
const changed = (from: string, to: string): string => {
  expect(yaml).toContain(from);
  return yaml.replace(from, to);
};

describe('what is generated', () => {
  test.each(outputs())('$path follows from messages.yaml', (output) => {
    expect(isCurrent(output), 'run `npm run generate`').toBe(true);
  });

  test('is printed as biome formats it', () => {
    const biome = pathOf('../../node_modules/.bin/biome');
    const formatted = outputs().filter(({ path }) => /\.(ts|md)$/.test(path));
    execFileSync(biome, ['check', ...formatted.map(({ path }) => path)], { stdio: 'pipe' });
  });

  test('carries version and hash', () => {
    expect(PROTOCOL_VERSION).toBe(readProtocol().protocol.version);
    expect(SCHEMA_HASH).toBe(schemaHash(readProtocol()));
  });

  test('a marker without a table and a table without a marker are errors', () => {
    expect(() => fillTables('<!-- generated: x -->\n<!-- end -->', {})).toThrow('"generated: x" is unknown');
    expect(() => fillTables('', { x: '' })).toThrow('"generated: x" is missing');
  });
});

describe('the schema hash', () => {
  const hash = schemaHash(parse(yaml));

  test.each([
    ['a comment', '# The wire contract', '# A wire contract'],
    ['a doc text', 'doc: "faults now"', 'doc: "faults at this moment"'],
    ['another spelling of a resolution', 'resolution: 0.25', 'resolution: 1/4'],
    ['the version, which is exchanged beside it', 'version: 1', 'version: 2'],
    ['a default', 'default: 255', 'default: 254'],
  ])('is not changed by %s', (_, from, to) => {
    expect(schemaHash(parse(changed(from, to)))).toBe(hash);
  });

  test.each([
    ['a field name', 'name: battery,', 'name: supply,'],
    ['a wire type', 'name: battery, type: u8', 'name: battery, type: i8'],
    ['a count', 'name: name, type: char, count: 16', 'name: name, type: char, count: 15'],
    ['a resolution', '50/32768', '40/32768'],
    ['a unit', 'unit: ms', 'unit: s'],
    ['an enum value', 'name: limp, value: 3', 'name: limp, value: 7'],
    ['an enum name', 'name: braking, value: 2', 'name: stopping, value: 2'],
    ['a bit', 'name: hasLegs', 'name: hasFeet'],
    ['a fault bit', 'name: imu,', 'name: gyro,'],
    ['a type code', 'type: 0x33', 'type: 0x34'],
    ['a direction', 'direction: both', 'direction: mcu-to-host'],
    ['the longest payload', 'maxPayload: 96', 'maxPayload: 97'],
  ])('is changed by %s', (_, from, to) => {
    expect(schemaHash(parse(changed(from, to)))).not.toBe(hash);
  });
});

describe('messages.yaml is refused, at the line and by name, for', () => {
  test.each([
    ['a type code used twice', 'type: 0x33', 'type: 0x32', 'type code 50 is used twice'],
    ['a field name used twice', 'name: battery,', 'name: faults,', 'name faults is used twice'],
    ['a bit named like a field', 'name: hasLegs', 'name: battery', 'name battery is used twice'],
    ['a field named kind', 'name: battery,', 'name: kind,', 'name kind is used twice'],
    ['an enum value used twice', 'name: limp, value: 3', 'name: limp, value: 2', 'value 2 is used twice'],
    ['bits that do not fit', 'name: hasLegs, width: 1', 'name: hasLegs, width: 3', 'bits do not fit u8'],
    ['an enum wider than its bits', 'width: 3, enum', 'width: 2, enum', 'McuState does not fit 2 bits'],
    ['an enum that does not exist', 'enum: LatchCause', 'enum: Cause', 'enum Cause does not exist'],
    [
      'a bitset wider than its field',
      'name: faults, type: u16',
      'name: faults, type: u8',
      'Faults does not fit 8 bits',
    ],
    [
      'a sensors frame too long for its rates',
      'name: battery, type: u8',
      'name: battery, type: u16',
      '81 bytes on the wire',
    ],
    ['a payload too long', 'maxPayload: 96', 'maxPayload: 66', '67 bytes of payload exceed maxPayload'],
    ['an unknown key', 'name: battery,', 'name: battery, range: 3,', 'Unrecognized key'],
    ['a resolution that is none', '50/32768', '50/0', 'a ratio such as 1/32767'],
    ['a default that does not fit', 'default: 255', 'default: 256', 'default 256 is no value of this field'],
    ['a default without a name', 'default: none', 'default: nothing', 'default "nothing" is no value of this field'],
    [
      'a default for fewer elements',
      'default: [1, 0, 0, 0]',
      'default: [1, 0]',
      'default [1,0] is no value of this field',
    ],
    ['another header', 'name: sequence, type: u16', 'name: sequence, type: u32', 'expected "u16"'],
  ])('%s', (_, from, to, message) => {
    expect(() => parse(changed(from, to))).toThrow(message);
    expect(() => parse(changed(from, to))).toThrow(/^messages\.yaml:\d+: /);
  });
});

test('sensors fit in the bytes that the rates allow', () => {
  const sensors = readProtocol().messages.sensors;
  expect(sensors && wireSize(sensors)).toBeLessThanOrEqual(MAX_SENSORS_WIRE_SIZE);
});

test("PROTOCOL.md's worked frame is what the encoder sends", () => {
  const [, frame = '', wire = ''] = /```\nframe {2}(.*)\nwire {3}(.*)\n```/.exec(page) ?? [];
  const sent = new FrameEncoder({ firstSequence: 258 }).encode({ kind: 'estop', reason: 1 }, 1_000_000);
  expect(Buffer.from(sent).toString('hex')).toBe(wire.replaceAll(' ', ''));
  // and the table explains the same bytes, in order
  const explained = [...page.matchAll(/^\| `((?:[0-9a-f]{2} ?)+)` +\|/gm)].map(([, bytes]) => bytes);
  expect(explained.join(' ')).toBe(wire);
  // unstuffed by hand: 07 and 06 are the code bytes
  expect(
    wire
      .replace(/^00 07 /, '')
      .replace(/ 00$/, '')
      .replace(' 06 ', ' 00 '),
  ).toBe(frame);
});

test('PROTOCOL.md names the longest stuffed frame', () => {
  expect(page).toContain('longest payload + 12');
  expect(MAX_FRAME_SIZE + 1).toBe(readProtocol().protocol.maxPayload + 12);
});

test('every clause that code cites is in PROTOCOL.md', () => {
  const folders = ['../../src/protocol/', '../c/', '../example/', '../fuzz/', '../test/']
    .map(pathOf)
    .filter(existsSync);
  const files = folders.flatMap((folder) => readdirSync(folder).map((file) => folder + file));
  const sources = files.filter((file) => statSync(file).isFile()).map((file) => readFileSync(file, 'utf8'));
  const cited = new Set(sources.flatMap((source) => source.match(/§\d+\.\d+/g) ?? []));
  expect(cited.size).toBeGreaterThan(20);
  for (const clause of cited) expect(page).toMatch(new RegExp(`\\*\\*${clause}[ .*]`));
});
