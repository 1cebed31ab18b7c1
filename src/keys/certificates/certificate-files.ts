import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { closeSync, existsSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { EdgeError, messageOf } from '../../errors.ts';

/** `tls/anna.pem` → `tls/anna.key.pem`: where the private key of a certificate lies unless it is said. */
export const keyFileOf = (certificateFile: string): string =>
  `${certificateFile.replace(/\.(pem|crt|cer)$/, '')}.key.pem`;

/** Name of the authority's certificate in its folder. */
export const AUTHORITY_FILE = 'ca.pem';

/**
 * Reads a file of a TLS configuration.
 * @param what it is meant to be, for the error
 * @throws EdgeError `fileUnreadable`
 */
export function readTlsFile(path: string, what: string, remedy: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new EdgeError('fileUnreadable', `cannot read the ${what} ${path}: ${messageOf(error)}`, remedy);
  }
}

/**
 * The certificates in a PEM file, in their order; text around them is skipped.
 * @throws EdgeError `certificateInvalid` when there is none or one is broken
 */
export function parseCertificates(pem: string | Buffer, path: string): X509Certificate[] {
  const blocks = pem.toString().match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  try {
    if (blocks.length > 0) return blocks.map((block) => new X509Certificate(block));
  } catch {
    // OpenSSL's own words help nobody.
  }
  const key = pem.includes('PRIVATE KEY') ? '; it holds a private key' : '';
  throw new EdgeError(
    'certificateInvalid',
    `${path} holds no certificate in PEM form${key}`,
    'name the certificate itself, as `h2o-edge keys issue` writes it',
  );
}

/** @throws EdgeError `fileUnreadable`, `certificateInvalid` */
export function readCertificate(path: string): X509Certificate {
  const remedy = 'check the path and its permissions';
  const [certificate] = parseCertificates(readTlsFile(path, 'certificate', remedy), path);
  if (!certificate) throw new EdgeError('certificateInvalid', `${path} holds no certificate`, remedy);
  return certificate;
}

/**
 * Reads the private key of a certificate (PEM).
 * @returns its text and the key
 * @throws EdgeError `fileUnreadable`, `certificateInvalid` when it is no key, wants a passphrase, or is open to others
 */
export function readCertificateKey(path: string): { readonly pem: Buffer; readonly key: KeyObject } {
  let file: number | undefined;
  let pem: Buffer;
  let mode: number;
  try {
    file = openSync(path, 'r');
    // The mode of the very file that is read.
    mode = fstatSync(file).mode;
    pem = readFileSync(file);
  } catch (error) {
    throw new EdgeError(
      'fileUnreadable',
      `cannot read the private key ${path}: ${messageOf(error)}`,
      'name the key that belongs to the certificate, and let this user read it',
    );
  } finally {
    if (file !== undefined) closeSync(file);
  }
  // A group may read it: that is how a key is lent to a service.
  if ((mode & 0o027) !== 0) {
    throw new EdgeError(
      'certificateInvalid',
      `the private key ${path} is open to others (mode ${(mode & 0o777).toString(8).padStart(4, '0')})`,
      `chmod 600 ${path}; if others could read it for a while, issue a new certificate`,
    );
  }
  return { pem, key: parsePrivateKey(pem, path) };
}

function parsePrivateKey(pem: Buffer, path: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code === 'ERR_MISSING_PASSPHRASE' || pem.includes('ENCRYPTED')) {
      throw new EdgeError(
        'certificateInvalid',
        `the private key ${path} is encrypted, and nobody is there to type its passphrase`,
        `openssl pkey -in ${path} -out FILE writes it without`,
      );
    }
    throw new EdgeError(
      'certificateInvalid',
      `${path} holds no private key in PEM form`,
      'name the key that belongs to the certificate',
    );
  }
}

/** The files of a client certificate: what is not named is looked for beside it. */
export function filesBeside({ certFile, keyFile, caFile }: { certFile: string; keyFile: string; caFile: string }) {
  const authority = certFile.replace(/[^/]*$/, AUTHORITY_FILE);
  return {
    keyFile: keyFile || keyFileOf(certFile),
    caFile: caFile || (existsSync(authority) ? authority : ''),
  };
}
