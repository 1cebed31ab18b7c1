import type { KeyObject } from 'node:crypto';
import { statSync } from 'node:fs';
import { stringify } from 'yaml';
import { z } from 'zod';
import { EdgeError } from '../errors.ts';
import { readYamlFile } from '../yaml-file.ts';
import { keyId, publicKeyFromRaw, rawPublicKey } from './key-pair.ts';

/** What a key may do: start motion and undo stops, or sign policy bundles. One key has one role. */
export const roles = ['operator', 'release'] as const;
export type Role = (typeof roles)[number];

export const trustEntrySchema = z
  .strictObject({
    id: z.string().regex(/^[0-9a-f]{16}$/, { error: 'must be 16 hexadecimal digits' }),
    role: z.enum(roles),
    /** for people */
    name: z.string().min(1).max(64),
    /** the 32 bytes of the ed25519 public key */
    publicKey: z.base64(),
  })
  .superRefine((entry, context) => {
    const key = publicKeyFromRaw(Buffer.from(entry.publicKey, 'base64'));
    if (!key) {
      context.addIssue({ code: 'custom', path: ['publicKey'], message: 'must be 32 bytes of an ed25519 key, base64' });
    } else if (keyId(key) !== entry.id) {
      context.addIssue({
        code: 'custom',
        path: ['id'],
        message: `does not belong to this publicKey (${keyId(key)} does)`,
      });
    }
  });
export type TrustEntry = z.output<typeof trustEntrySchema>;

const trustFileSchema = z
  .strictObject({ keys: z.array(trustEntrySchema).nullish() })
  .nullish()
  .superRefine((file, context) => {
    const entries = file?.keys ?? [];
    entries.forEach(({ id }, index) => {
      if (entries.findIndex((other) => other.id === id) === index) return;
      context.addIssue({ code: 'custom', path: ['keys', index, 'id'], message: 'stands here twice' });
    });
  });

export interface TrustedKey {
  readonly id: string;
  readonly role: Role;
  readonly name: string;
  readonly publicKey: KeyObject;
}

/** Whom a robot believes. */
export interface TrustStore {
  readonly keys: ReadonlyMap<string, TrustedKey>;
}

/** Trusts nobody. */
export const emptyTrustStore: TrustStore = { keys: new Map() };

/** The entry by which a trust store knows a key. */
export function trustEntry(key: KeyObject, role: Role, name: string): TrustEntry {
  return { id: keyId(key), role, name, publicKey: rawPublicKey(key).toString('base64') };
}

/** A trust store of these entries; entries that `trustEntrySchema` would refuse are left out. */
export function trustStoreOf(entries: readonly TrustEntry[]): TrustStore {
  const keys = new Map<string, TrustedKey>();
  for (const entry of entries) {
    const publicKey = publicKeyFromRaw(Buffer.from(entry.publicKey, 'base64'));
    if (!publicKey || keyId(publicKey) !== entry.id || keys.has(entry.id)) continue;
    keys.set(entry.id, { id: entry.id, role: entry.role, name: entry.name, publicKey });
  }
  return { keys };
}

/** Text of a trust file with these entries. */
export function formatTrustFile(entries: readonly TrustEntry[]): string {
  return stringify({ keys: entries }, { lineWidth: 0 });
}

/**
 * The entries of a trust file. A file that does not exist, or is empty, trusts nobody: that is how a robot comes.
 * @throws EdgeError `keyInvalid` when the file is not as it should be or anyone may write to it; `fileUnreadable`
 */
export function readTrustFile(path: string): TrustEntry[] {
  const mode = statSync(path, { throwIfNoEntry: false })?.mode;
  if (mode === undefined) return [];
  if ((mode & 0o002) !== 0) {
    throw new EdgeError(
      'keyInvalid',
      `anyone on this computer may write to the trust store ${path}`,
      `look through its keys, then chmod o-w ${path}`,
    );
  }
  return readYamlFile(path, trustFileSchema, 'keyInvalid')?.keys ?? [];
}

/**
 * Loads a trust file, see `readTrustFile`.
 * @throws EdgeError `keyInvalid`, `fileUnreadable`
 */
export function loadTrustStore(path: string): TrustStore {
  return trustStoreOf(readTrustFile(path));
}
