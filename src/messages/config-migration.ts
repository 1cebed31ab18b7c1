import { Document, isMap, isPair, isScalar, parseDocument, type YAMLMap } from 'yaml';
import { z } from 'zod';
import { EdgeError } from '../errors.ts';
import { configSchema } from './config.ts';

/** A key that has another name or place since some release. */
export interface Renamed {
  readonly from: string;
  readonly to: string;
}

/** Keys that were renamed, oldest first. None has been yet. */
export const RENAMED: readonly Renamed[] = [];

export interface Migration {
  /** the configuration for this release; as it was if there is nothing to change */
  readonly text: string;
  /** what was changed, a sentence each */
  readonly changes: readonly string[];
}

/**
 * Brings a configuration that another release wrote to this one: renamed keys get their new names, and keys that this
 * release does not know are put into comments, since they would keep control from starting. Values and comments stay.
 * @throws EdgeError `configInvalid` when it is no YAML map
 */
export function migrateConfig(text: string, renamed: readonly Renamed[] = RENAMED): Migration {
  const document = parseDocument(text);
  const [problem] = document.errors;
  if (problem || (document.contents !== null && !isMap(document.contents))) {
    const remedy = 'mend it by hand; `h2o-edge init --print` shows what may stand in it';
    throw new EdgeError('configInvalid', problem?.message ?? 'the configuration is not a list of keys', remedy);
  }
  const changes = renamed.flatMap((one) => rename(document, one));
  const unknown = isMap(document.contents) ? takeUnknown(document.contents, configSchema, '') : [];
  if (changes.length === 0 && unknown.length === 0) return { text, changes };
  const comments = unknown.map(({ path, value }) => `# ${path}: ${JSON.stringify(value)}`);
  const note = comments.length === 0 ? [] : ['', '# This release does not know these keys:', ...comments, ''];
  return {
    text: `${String(document).trimEnd()}\n${note.join('\n')}`,
    changes: [
      ...changes,
      ...unknown.map(({ path }) => `${path} is not known to this release: now a comment at the end`),
    ],
  };
}

function rename(document: Document, { from, to }: Renamed): string[] {
  const [old, now] = [from.split('.'), to.split('.')];
  if (!document.hasIn(old)) return [];
  const value = document.getIn(old, true);
  document.deleteIn(old);
  // What somebody has already written under the new name is what he means.
  if (document.hasIn(now)) return [`${from} is left out: ${to} is there`];
  document.setIn(now, value);
  return [`${from} is called ${to} now`];
}

interface Unknown {
  readonly path: string;
  readonly value: unknown;
}

function takeUnknown(map: YAMLMap, schema: z.ZodObject, path: string): Unknown[] {
  const taken: Unknown[] = [];
  for (const pair of [...map.items]) {
    if (!isPair(pair) || !isScalar(pair.key)) continue;
    const key = String(pair.key.value);
    const field = Object.hasOwn(schema.shape, key) ? schema.shape[key] : undefined;
    if (field === undefined) {
      const value = pair.value;
      taken.push({ path: `${path}${key}`, value: plain(value) });
      map.delete(pair.key);
      continue;
    }
    const inner = field instanceof z.ZodPrefault ? field.unwrap() : field;
    if (inner instanceof z.ZodObject && isMap(pair.value)) {
      taken.push(...takeUnknown(pair.value, inner, `${path}${key}.`));
      // A section of nothing but comments would be read as null, which no section may be.
      if (pair.value.items.length === 0) map.delete(pair.key);
    }
  }
  return taken;
}

/** A node's value as JSON has it. */
const plain = (node: unknown): unknown => {
  const document = new Document();
  document.contents = node as never;
  return document.toJS() ?? null;
};
