import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  generateKeyPair,
  keyId,
  publicKeyFromRaw,
  rawPublicKey,
  readPrivateKey,
  readPublicKey,
  writePrivateKey,
  writePublicKey,
} from './key-pair.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'keys-'));
});
afterEach(() => rmSync(directory, { recursive: true }));
const at = (name: string) => join(directory, name);

describe('key files', () => {
  it('are read as they were written, the private one by its owner alone', () => {
    const { privateKey, publicKey } = generateKeyPair();
    writePrivateKey(at('a.pem'), privateKey);
    writePublicKey(at('a.pub.pem'), publicKey);
    expect(statSync(at('a.pem')).mode & 0o777).toBe(0o600);
    expect(readPrivateKey(at('a.pem')).equals(privateKey)).toBe(true);
    expect(readPublicKey(at('a.pub.pem')).equals(publicKey)).toBe(true);
    expect(keyId(privateKey)).toBe(keyId(publicKey));
    expect(keyId(publicKey)).toMatch(/^[0-9a-f]{16}$/);
  });

  it.each([0o640, 0o604, 0o620, 0o644])('refuses a private key of mode %i, and says how to mend it', (mode) => {
    writePrivateKey(at('a.pem'), generateKeyPair().privateKey);
    chmodSync(at('a.pem'), mode);
    expect(() => readPrivateKey(at('a.pem'))).toThrow(
      expect.objectContaining({ codeName: 'keyInvalid', remedy: expect.stringContaining(`chmod 600 ${at('a.pem')}`) }),
    );
    expect(readPrivateKey(at('a.pem'), { published: true }).type).toBe('private');
  });

  it('never overwrites a key', () => {
    const { privateKey } = generateKeyPair();
    writePrivateKey(at('a.pem'), privateKey);
    expect(() => writePrivateKey(at('a.pem'), generateKeyPair().privateKey)).toThrow(/cannot write the key/);
    expect(readPrivateKey(at('a.pem')).equals(privateKey)).toBe(true);
  });

  it('refuses what is no ed25519 key', () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ type: 'spki', format: 'pem' });
    writeFileSync(at('rsa.pem'), rsa);
    writeFileSync(at('text.pem'), 'not a key', { mode: 0o600 });
    expect(() => readPublicKey(at('rsa.pem'))).toThrow(/no ed25519 key/);
    expect(() => readPrivateKey(at('text.pem'))).toThrow(/no ed25519 key/);
    expect(() => readPublicKey(at('none.pem'))).toThrow(expect.objectContaining({ codeName: 'fileUnreadable' }));
  });

  it('does not take a private key for a public one', () => {
    writePrivateKey(at('a.pem'), generateKeyPair().privateKey);
    expect(() => readPublicKey(at('a.pem'))).toThrow(/holds a private key/);
  });
});

describe('raw public keys', () => {
  it('come back from their 32 bytes', () => {
    const { publicKey } = generateKeyPair();
    const raw = rawPublicKey(publicKey);
    expect(raw).toHaveLength(32);
    expect(publicKeyFromRaw(raw)?.equals(publicKey)).toBe(true);
    expect(publicKeyFromRaw(raw.subarray(1))).toBeUndefined();
  });
});
