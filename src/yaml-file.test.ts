import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { EdgeError } from './errors.ts';
import { parseYaml, readYamlFile } from './yaml-file.ts';

const schema = z.strictObject({
  name: z.string(),
  nested: z.strictObject({ depth: z.number(), list: z.array(z.strictObject({ id: z.number() })).default([]) }),
});
const good = 'name: a\nnested:\n  depth: 1\n';

function refusal(text: string): EdgeError {
  try {
    parseYaml(text, 'some.yaml', schema, 'gapInvalid');
  } catch (error) {
    if (error instanceof EdgeError) return error;
    throw error;
  }
  throw new Error('the text was taken');
}

describe('a YAML file', () => {
  it('is read into what its schema says, defaults included', () => {
    const folder = mkdtempSync(join(tmpdir(), 'h2o-yaml-'));
    const path = join(folder, 'file.yaml');
    writeFileSync(path, good);
    expect(readYamlFile(path, schema, 'gapInvalid')).toEqual({ name: 'a', nested: { depth: 1, list: [] } });
    rmSync(folder, { recursive: true });
  });

  it('that cannot be read is named with the reason and a remedy', () => {
    expect(() => readYamlFile('/nowhere/file.yaml', schema, 'gapInvalid')).toThrow(
      expect.objectContaining({ codeName: 'fileUnreadable', message: expect.stringContaining('/nowhere/file.yaml') }),
    );
  });

  it('is YAML 1.2: "no" is a word', () => {
    expect(parseYaml('name: no\nnested: {depth: 1}', 'some.yaml', schema, 'gapInvalid').name).toBe('no');
  });
});

describe('what is left empty', () => {
  const lenient = z.strictObject({
    name: z.string().default('b'),
    nested: z.strictObject({ depth: z.number().default(2) }).prefault({}),
  });
  const defaults = { name: 'b', nested: { depth: 2 } };

  it.each([
    ['a file', ''],
    ['a file of comments', '# nothing\n\n'],
    ['a file that says null', 'null\n'],
    ['a key', 'name:\n'],
    ['a group', 'nested:\n'],
    ['a key of a group', 'nested:\n  depth:\n'],
    ['a key that says null', 'name: ~\nnested: {depth: null}\n'],
  ])('stands for the defaults: %s', (_what, text) => {
    expect(parseYaml(text, 'some.yaml', lenient, 'gapInvalid')).toEqual(defaults);
  });

  it('is missing where there is no default', () => {
    expect(refusal('name:\nnested: {depth: 1}\n').message).toContain('some.yaml:1: name: ');
  });
});

describe('what is wrong with it', () => {
  it('has the code of the room that the file belongs to', () => {
    expect(refusal('name: 1').codeName).toBe('gapInvalid');
    expect(refusal('name: [').codeName).toBe('gapInvalid');
  });

  it.each([
    ['a wrong value', 'name: a\nnested:\n\n  depth: x\n', 'some.yaml:4: nested.depth: '],
    [
      'a wrong value in a list',
      'name: a\nnested:\n  depth: 1\n  list:\n    - id: 1\n    - id: x\n',
      'some.yaml:6: nested.list.1.id: ',
    ],
    ['a missing key, at the mapping that lacks it', 'name: a\nnested:\n  list: []\n', 'some.yaml:3: nested.depth: '],
    ['broken syntax', 'name: a\nnested:\n  depth: "1\n', 'some.yaml:'],
    ['the same key twice', 'name: a\nname: b\nnested: {depth: 1}\n', 'some.yaml:2: '],
    ['two documents in one file', `${good}---\n${good}`, 'some.yaml:'],
    ['something else than a mapping', '- 1\n', 'some.yaml:1: the file: '],
  ])('is told by file and line: %s', (_what, text, message) => {
    expect(refusal(text).message).toContain(message);
    expect(refusal(text).remedy).not.toBe('');
  });

  it('is told all at once, one line each', () => {
    expect(refusal('name: 1\nnested:\n  depth: x\n').message.split('\n')).toHaveLength(2);
  });

  it.each([
    ['at the top', `${good}extra: 1\n`, 'some.yaml:4: the file: '],
    ['inside a group', 'name: a\nnested:\n  depth: 1\n\n  extra: 1\n', 'some.yaml:5: nested: '],
  ])('is told by name and line of a key that does not belong there: %s', (_what, text, message) => {
    expect(refusal(text).message).toContain(message);
    expect(refusal(text).message).toContain('"extra"');
  });

  it('is told of an alias without an anchor', () => {
    const broken = refusal('name: *nobody\nnested: {depth: 1}\n');
    expect(broken.codeName).toBe('gapInvalid');
    expect(broken.message).toContain('some.yaml');
    expect(broken.message).toContain('nobody');
    expect(broken.remedy).toContain('&');
  });

  it('is told of an alias that would grow without bounds', () => {
    const bomb = ['a: &a [x, x, x, x, x, x, x, x, x]'];
    for (const [one, next] of ['ab', 'bc', 'cd', 'de', 'ef'].map((pair) => [...pair])) {
      bomb.push(`${next}: &${next} [${Array(9).fill(`*${one}`).join(', ')}]`);
    }
    expect(refusal(bomb.join('\n')).codeName).toBe('gapInvalid');
  });
});
