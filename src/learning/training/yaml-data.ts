import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { z } from 'zod';
import { EdgeError, type ErrorCodeName, messageOf } from '../../errors.ts';

/**
 * Reads a YAML file of data in which `null` says something ("no bound", "no data"), other than in a file that a person
 * configures a robot with, where an empty key is one that was left out.
 * @throws EdgeError `fileUnreadable`, or `code` naming every key that is wrong
 */
export function readYamlData<T extends z.ZodType>(path: string, schema: T, code: ErrorCodeName): z.output<T> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new EdgeError('fileUnreadable', `cannot read ${path}: ${messageOf(error)}`, 'check the path');
  }
  let data: unknown;
  try {
    data = parse(text);
  } catch (error) {
    throw new EdgeError(code, `${path}: ${messageOf(error)}`, 'mend the YAML at that line');
  }
  const result = schema.safeParse(data);
  if (result.success) return result.data;
  const problems = result.error.issues.map(
    ({ path: at, message }) => `${path}: ${at.join('.') || 'the file'}: ${message}`,
  );
  throw new EdgeError(code, problems.join('\n'), 'correct the named keys');
}
