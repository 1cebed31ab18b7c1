import { createPublicKey, type KeyObject, webcrypto } from 'node:crypto';
import { EdgeError } from '../../errors.ts';

/** ECDSA over P-256: what mosquitto, OpenSSL and the TLS libraries of small clients take. */
export const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
/** Loaded when a certificate is made and not before: a robot does not have it, and need not. */
export async function library() {
  try {
    await import('reflect-metadata');
    return await import('@peculiar/x509');
  } catch (error) {
    throw new EdgeError(
      'certificateInvalid',
      'the library that makes certificates is not installed here',
      'make them on another computer than the robot, where `npm ci` ran without --omit=optional',
      { cause: error },
    );
  }
}

/** @throws EdgeError `certificateInvalid` when it is a key of another kind */
export async function webPublicKey(key: KeyObject) {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  if (publicKey.asymmetricKeyType !== 'ec' || publicKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw new EdgeError(
      'certificateInvalid',
      `this is a key of type ${publicKey.asymmetricKeyType}, not one of ECDSA over P-256`,
      'use keys that h2o-edge made',
    );
  }
  return await webcrypto.subtle.importKey('spki', publicKey.export({ type: 'spki', format: 'der' }), ALGORITHM, true, [
    'verify',
  ]);
}

/** For signing, not to be exported again. */
export async function signingKeyOf(key: KeyObject) {
  await webPublicKey(key);
  return await webcrypto.subtle.importKey('pkcs8', key.export({ type: 'pkcs8', format: 'der' }), ALGORITHM, false, [
    'sign',
  ]);
}

/** X.509 knows no fractions of a second. */
export const wholeSeconds = (milliseconds: number) => new Date(Math.floor(milliseconds / 1000) * 1000);
