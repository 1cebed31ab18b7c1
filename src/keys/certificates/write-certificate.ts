import type { X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { EdgeError, messageOf } from '../../errors.ts';
import { writePrivateKey } from '../key-pair.ts';
import type { Credentials } from './authority.ts';
import { keyFileOf } from './certificate-files.ts';

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
