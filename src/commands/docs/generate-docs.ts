import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { staleDocs } from './generated-docs.ts';

// npm run docs            writes what is out of date
// npm run docs -- --check only says so, and fails

const check = process.argv.includes('--check');
for (const { path, text } of staleDocs()) {
  process.stdout.write(`${path} ${check ? 'is out of date: run `npm run docs`' : 'written'}\n`);
  if (check) {
    process.exitCode = 1;
    continue;
  }
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
