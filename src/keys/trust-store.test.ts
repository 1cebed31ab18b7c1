import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { generateKeyPair } from './key-pair.ts';
import { formatTrustFile, loadTrustStore, trustEntry } from './trust-store.ts';

let path: string;
beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), 'trust-')), 'trust.yaml');
});
afterEach(() => rmSync(join(path, '..'), { recursive: true }));
const write = (text: string) => writeFileSync(path, text);

const anna = trustEntry(generateKeyPair().publicKey, 'operator', 'Anna');
const build = trustEntry(generateKeyPair().publicKey, 'release', 'build');

describe('the trust store', () => {
  it('trusts nobody when it is missing or empty', () => {
    expect(loadTrustStore(path).keys.size).toBe(0);
    for (const text of ['', '# nobody yet\n', 'keys:\n', 'keys: []\n']) {
      write(text);
      expect(loadTrustStore(path).keys.size).toBe(0);
    }
  });

  it('knows the keys that were written, with their roles', () => {
    write(formatTrustFile([anna, build]));
    const { keys } = loadTrustStore(path);
    expect([...keys.values()].map(({ id, role, name }) => ({ id, role, name }))).toEqual([
      { id: anna.id, role: 'operator', name: 'Anna' },
      { id: build.id, role: 'release', name: 'build' },
    ]);
  });

  it('refuses an id that does not belong to its key', () => {
    write(formatTrustFile([{ ...anna, id: build.id }]));
    expect(() => loadTrustStore(path)).toThrow(/:2: keys.0.id: does not belong to this publicKey/);
  });

  it('refuses a key twice, even with another role', () => {
    write(formatTrustFile([anna, { ...anna, role: 'release' }]));
    expect(() => loadTrustStore(path)).toThrow(/keys.1.id: stands here twice/);
  });

  it.each([
    ['an unknown role', { ...anna, role: 'admin' }],
    ['an unknown field', { ...anna, until: 2030 }],
    ['a short key', { ...anna, publicKey: 'AAAA' }],
  ])('refuses %s', (_name, entry) => {
    write(JSON.stringify({ keys: [entry] }));
    expect(() => loadTrustStore(path)).toThrow(expect.objectContaining({ codeName: 'keyInvalid' }));
  });

  it('refuses a file that anyone may write to', () => {
    write(formatTrustFile([anna]));
    chmodSync(path, 0o666);
    expect(() => loadTrustStore(path)).toThrow(
      expect.objectContaining({ remedy: expect.stringContaining('chmod o-w') }),
    );
  });
});
