import { sign as cryptoSign, verify as cryptoVerify, type KeyObject } from 'node:crypto';
import { keyId } from './key-pair.ts';
import type { Role, TrustedKey, TrustStore } from './trust-store.ts';

/**
 * What a signature is for. It stands before the signed bytes, so that a signature made for one purpose says nothing for
 * another: nobody can pass a manifest off as a command.
 */
export const domains = {
  command: 'h2o-edge command v1',
  bundle: 'h2o-edge bundle v1',
} as const;
export type Domain = (typeof domains)[keyof typeof domains];

export interface Signature {
  /** which key, see `keyId` */
  readonly keyId: string;
  /** 64 bytes, base64 */
  readonly signature: string;
}

export type SignatureProblem = 'unknown-key' | 'wrong-role' | 'malformed-signature' | 'bad-signature';

export type Verified =
  | { readonly ok: true; readonly key: TrustedKey }
  | { readonly ok: false; readonly reason: SignatureProblem };

/** domain, a zero byte, the bytes; no domain holds a zero byte, so the border cannot be moved. */
const signedBytes = (domain: Domain, bytes: Uint8Array): Buffer => Buffer.concat([Buffer.from(`${domain}\0`), bytes]);

/** Signs the exact bytes (ed25519) for one purpose. */
export function sign(domain: Domain, bytes: Uint8Array, privateKey: KeyObject): Signature {
  const signature = cryptoSign(null, signedBytes(domain, bytes), privateKey).toString('base64');
  return { keyId: keyId(privateKey), signature };
}

/** Whether a trusted key with that role signed these exact bytes for that purpose. Never throws, whatever it is given. */
export function verify(
  domain: Domain,
  bytes: Uint8Array,
  signature: Signature,
  store: TrustStore,
  role: Role,
): Verified {
  const key = store.keys.get(signature.keyId);
  if (!key) return { ok: false, reason: 'unknown-key' };
  if (key.role !== role) return { ok: false, reason: 'wrong-role' };
  const raw = decodeBase64(signature.signature);
  if (raw?.length !== 64) return { ok: false, reason: 'malformed-signature' };
  if (!cryptoVerify(null, signedBytes(domain, bytes), key.publicKey, raw))
    return { ok: false, reason: 'bad-signature' };
  return { ok: true, key };
}

/** Strict: Buffer alone skips what it does not know, and many texts would stand for the same signature. */
function decodeBase64(text: unknown): Buffer | undefined {
  if (typeof text !== 'string') return undefined;
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}
