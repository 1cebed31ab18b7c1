import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { closeSync, fstatSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { EdgeError, messageOf } from '../errors.ts';

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** A new ed25519 key pair from the system's random source. */
export function generateKeyPair(): KeyPair {
  return generateKeyPairSync('ed25519');
}

/** The 32 bytes of an ed25519 public key; of a private key, its public half. */
export function rawPublicKey(key: KeyObject): Buffer {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');
}

/** The other way round. `undefined` unless these are 32 bytes of an ed25519 public key. */
export function publicKeyFromRaw(raw: Uint8Array): KeyObject | undefined {
  if (raw.length !== 32) return undefined;
  try {
    const x = Buffer.from(raw).toString('base64url');
    return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  } catch {
    return undefined;
  }
}

/** Name of a key: first 16 hex digits of the sha256 of the raw public key. */
export function keyId(key: KeyObject): string {
  return createHash('sha256').update(rawPublicKey(key)).digest('hex').slice(0, 16);
}

/**
 * Writes the private key as PKCS#8 PEM, mode 0600. Never over another file: a key that is gone is gone.
 * @throws EdgeError `keyInvalid`
 */
export function writePrivateKey(path: string, privateKey: KeyObject): void {
  writeNew(path, privateKey.export({ type: 'pkcs8', format: 'pem' }), 0o600);
}

/**
 * Writes the public key as SPKI PEM; never over another file.
 * @throws EdgeError `keyInvalid`
 */
export function writePublicKey(path: string, publicKey: KeyObject): void {
  writeNew(path, publicKey.export({ type: 'spki', format: 'pem' }), 0o644);
}

function writeNew(path: string, pem: string | Buffer, mode: number): void {
  try {
    writeFileSync(path, pem, { mode, flag: 'wx' });
  } catch (error) {
    throw new EdgeError(
      'keyInvalid',
      `cannot write the key to ${path}: ${messageOf(error)}`,
      'choose a path that does not exist yet, in a folder that you may write to',
    );
  }
}

export interface ReadPrivateKeyOptions {
  /** the key is published on purpose, so that who may read the file does not matter: the demo key */
  readonly published?: boolean;
}

/**
 * Reads an ed25519 private key (PEM).
 * @throws EdgeError `fileUnreadable`; `keyInvalid` when it is no such key or when others than its owner may read or write it
 */
export function readPrivateKey(path: string, { published = false }: ReadPrivateKeyOptions = {}): KeyObject {
  const { pem, mode } = readPem(path);
  if (!published && (mode & 0o077) !== 0) {
    throw new EdgeError(
      'keyInvalid',
      `the private key ${path} is open to others than its owner (mode ${(mode & 0o777).toString(8).padStart(4, '0')})`,
      `chmod 600 ${path}; if others could read it for a while, make a new key`,
    );
  }
  return ed25519(path, () => createPrivateKey(pem));
}

/**
 * Reads an ed25519 public key (PEM).
 * @throws EdgeError `fileUnreadable`, `keyInvalid`
 */
export function readPublicKey(path: string): KeyObject {
  const { pem } = readPem(path);
  // createPublicKey would quietly take the public half out of a private key that someone put on the robot by mistake.
  if (pem.includes('PRIVATE KEY')) {
    throw new EdgeError(
      'keyInvalid',
      `${path} holds a private key`,
      'give the public one (.pub.pem), and keep this one at home',
    );
  }
  return ed25519(path, () => createPublicKey(pem));
}

function readPem(path: string): { readonly pem: string; readonly mode: number } {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    // The mode of the very file that is read, not of one put in its place between two looks.
    return { mode: fstatSync(file).mode, pem: readFileSync(file, 'utf8') };
  } catch (error) {
    throw new EdgeError(
      'fileUnreadable',
      `cannot read the key ${path}: ${messageOf(error)}`,
      'check the path and its permissions',
    );
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function ed25519(path: string, parse: () => KeyObject): KeyObject {
  let key: KeyObject | undefined;
  try {
    key = parse();
  } catch {
    // OpenSSL's own words ("DECODER routines::unsupported") help nobody.
  }
  if (key?.asymmetricKeyType === 'ed25519') return key;
  throw new EdgeError(
    'keyInvalid',
    `${path} holds no ed25519 key in PEM form`,
    'make one with `h2o-edge keys generate`',
  );
}
