import { readFileSync } from 'node:fs';
import { type Document, isNode, LineCounter, type Node, parseDocument } from 'yaml';
import type { z } from 'zod';
import { EdgeError, type ErrorCodeName, messageOf } from './errors.ts';

/**
 * Reads a YAML 1.2 file and checks it against a schema.
 *
 * @param path file to read
 * @param schema zod schema; unknown keys are errors where the schema says so
 * @param code error code of the room that the file belongs to
 * @returns the parsed value
 * @throws EdgeError `fileUnreadable`, or `code` with every problem as `file:line: key: what is wrong`
 */
export function readYamlFile<T extends z.ZodType>(path: string, schema: T, code: ErrorCodeName): z.output<T> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new EdgeError(
      'fileUnreadable',
      `cannot read ${path}: ${messageOf(error)}`,
      'check the path and its permissions',
    );
  }
  return parseYaml(text, path, schema, code);
}

/** As `readYamlFile`, for text that is already in memory; `path` only names it in errors. */
export function parseYaml<T extends z.ZodType>(
  text: string,
  path: string,
  schema: T,
  code: ErrorCodeName,
): z.output<T> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const lineOf = (offset: number) => lines.linePos(offset).line;

  const broken = document.errors[0];
  if (broken) {
    throw new EdgeError(code, `${path}:${lineOf(broken.pos[0])}: ${broken.message}`, 'mend the YAML at that line');
  }
  const result = schema.safeParse(contentOf(document, path, code));
  if (result.success) return result.data;

  const problems = result.error.issues.map((issue) => {
    const [unknown] = issue.code === 'unrecognized_keys' ? issue.keys : [];
    const node = nearestNode(document.contents, unknown === undefined ? issue.path : [...issue.path, unknown]);
    const line = node?.range ? lineOf(node.range[0]) : 1;
    const key = issue.path.join('.') || 'the file';
    return `${path}:${line}: ${key}: ${issue.message}`;
  });
  throw new EdgeError(
    code,
    problems.join('\n'),
    'correct the named keys; `h2o-edge init --print` shows every key with its meaning',
  );
}

/** An empty file, and a key with nothing behind it, stand for no choice: every default holds. */
function contentOf(document: Document.Parsed, path: string, code: ErrorCodeName): unknown {
  try {
    return withoutNulls(document.toJS()) ?? {};
  } catch (error) {
    throw new EdgeError(code, `${path}: ${messageOf(error)}`, 'mend the YAML: an alias *name needs its anchor &name');
  }
}

function withoutNulls(value: unknown): unknown {
  if (value === null) return undefined;
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutNulls(inner)]));
}

/** The deepest node on the way to `path`: a missing key is reported at the mapping that lacks it. */
function nearestNode(root: unknown, path: readonly PropertyKey[]): Node | undefined {
  let node: Node | undefined = isNode(root) ? root : undefined;
  for (const key of path) {
    const next: unknown =
      node && 'get' in node ? (node.get as (key: unknown, keep: true) => unknown)(key, true) : undefined;
    if (!isNode(next)) break;
    node = next;
  }
  return node;
}
