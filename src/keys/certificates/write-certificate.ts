import type { X509Certificate } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { EdgeError, messageOf } from '../../errors.ts';
import { writePrivateKey } from '../key-pair.ts';
import type { Credentials } from './authority.ts';
import { keyFileOf, parseCertificates, readTlsFile } from './certificate-files.ts';

/** Name of the record of all that an authority has signed, in its folder. */
export const ISSUED_FILE = 'issued.pem';

/**
 * Refuses to write over anything, before anything is made.
 * @throws EdgeError `certificateInvalid`
 */
export function refuseToReplace(certificateFile: string): void {
  const found = [keyFileOf(certificateFile), certificateFile].find((path) => existsSync(path));
  if (found === undefined) return;
  throw new EdgeError(
    'certificateInvalid',
    `${found} is there already`,
    'renew it with `h2o-edge keys renew`, or move it away; a key that is gone is gone',
  );
}

/**
 * Writes both halves: the key first, mode 0600 and never over another, so that no certificate is left without its key.
 * @throws EdgeError `certificateInvalid`, `keyInvalid`
 */
export function writeCredentials(certificateFile: string, { certificate, key }: Credentials): void {
  refuseToReplace(certificateFile);
  const keyFile = keyFileOf(certificateFile);
  makeFolder(dirname(certificateFile));
  writePrivateKey(keyFile, key);
  try {
    writeFileSync(certificateFile, certificate.toString(), { mode: 0o644, flag: 'wx' });
  } catch (error) {
    rmSync(keyFile, { force: true });
    throw unwritable(certificateFile, error);
  }
}

/** Puts a renewed certificate in the place of the old one, in one step. @throws EdgeError `certificateInvalid` */
export function replaceCertificate(path: string, certificate: X509Certificate): void {
  replacePublic(path, certificate.toString());
}

/** Puts something that is no secret in place, in one step. @throws EdgeError `certificateInvalid` */
export function replacePublic(path: string, pem: string): void {
  const beside = `${path}.new`;
  try {
    writeFileSync(beside, pem, { mode: 0o644 });
    renameSync(beside, path);
  } catch (error) {
    rmSync(beside, { force: true });
    throw unwritable(path, error);
  }
}

/**
 * Keeps a copy of everything that the authority has signed: a renewed certificate has another serial number, and whoever
 * stole its predecessor has the same key. @throws EdgeError `certificateInvalid`
 */
export function recordIssued(authorityFolder: string, certificate: X509Certificate): void {
  const path = join(authorityFolder, ISSUED_FILE);
  try {
    appendFileSync(path, certificate.toString(), { mode: 0o644 });
  } catch (error) {
    throw unwritable(path, error);
  }
}

/** These, and all others that the authority has signed for the same keys. @throws EdgeError `fileUnreadable`, `certificateInvalid` */
export function withSameKeys(authorityFolder: string, certificates: readonly X509Certificate[]): X509Certificate[] {
  const path = join(authorityFolder, ISSUED_FILE);
  const issued = existsSync(path)
    ? parseCertificates(readTlsFile(path, 'record of certificates', 'check its permissions'), path)
    : [];
  const known = new Map([...certificates, ...issued].map((certificate) => [certificate.serialNumber, certificate]));
  return [...known.values()].filter(({ publicKey }) => certificates.some((one) => one.publicKey.equals(publicKey)));
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw unwritable(path, error);
  }
}

const unwritable = (path: string, error: unknown) =>
  new EdgeError(
    'certificateInvalid',
    `cannot write ${path}: ${messageOf(error)}`,
    'choose a folder that you may write to',
  );
