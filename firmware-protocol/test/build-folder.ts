import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/** A folder for what is built, gone with the test file. */
export function buildFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'h2o-c-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
