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

  it('is told by the name of a key that does not belong there', () => {
    expect(refusal(`${good}extra: 1\n`).message).toContain('extra');
  });
});
