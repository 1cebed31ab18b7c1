import { readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { messageOf } from '../../src/errors.ts';
import { generateCHeader, generateCSource } from './c.ts';
import { generateCVectors } from './c-vectors.ts';
import { readProtocol } from './schema.ts';
import { fillTables, generateTables } from './tables.ts';
import { generateTypeScript } from './typescript.ts';
import { makeVectors, printVectors } from './vectors.ts';

/** A file that follows from messages.yaml, and what it should hold now. */
export interface Output {
  path: string;
  text: string;
}

const pathOf = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

/** All that is made of messages.yaml. Writes nothing. */
export function outputs(): Output[] {
  const protocol = readProtocol();
  const vectors = makeVectors(protocol);
  const page = pathOf('../PROTOCOL.md');
  return [
    { path: pathOf('../../src/protocol/messages.gen.ts'), text: generateTypeScript(protocol) },
    { path: pathOf('../c/h2o_messages.h'), text: generateCHeader(protocol) },
    { path: pathOf('../c/h2o_messages.c'), text: generateCSource(protocol) },
    { path: pathOf('../vectors.json'), text: printVectors(vectors) },
    { path: pathOf('../test/vectors.gen.h'), text: generateCVectors(protocol, vectors) },
    { path: page, text: fillTables(readFileSync(page, 'utf8'), generateTables(protocol)) },
  ];
}

/** Whether a file already holds what it should. */
export function isCurrent({ path, text }: Output): boolean {
  try {
    return readFileSync(path, 'utf8') === text;
  } catch {
    return false; // not there yet
  }
}

function main(check: boolean): number {
  const stale = outputs().filter((output) => !isCurrent(output));
  for (const { path, text } of stale) {
    if (check) process.stderr.write(`${path} does not follow from messages.yaml: run \`npm run generate\`\n`);
    else writeFileSync(path, text);
  }
  return check && stale.length > 0 ? 1 : 0;
}

// Resolved, because a repository behind a symbolic link must not make `--check` do nothing and succeed.
if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    process.exitCode = main(process.argv.includes('--check'));
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`);
    process.exitCode = 1;
  }
}
