import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** Why there are no tests with OpenSSL's own program here; empty if there are. */
export const opensslMissing = spawnSync('openssl', ['version']).status === 0 ? '' : 'openssl is not installed';

/** @returns what OpenSSL says of certificates, whether it likes them or not */
export function openssl(...words: string[]): string {
  const { stdout, stderr } = spawnSync('openssl', words, { encoding: 'utf8' });
  return stdout + stderr;
}

/** @throws when OpenSSL finds fault */
export const opensslOk = (...words: string[]): string =>
  execFileSync('openssl', words, { encoding: 'utf8', stdio: 'pipe' });

/** A folder that goes with the test. */
export function folderOfTest(): string {
  const folder = mkdtempSync(join(tmpdir(), 'h2o-certificates-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
