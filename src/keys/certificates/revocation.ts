import { createPublicKey, type X509Certificate } from 'node:crypto';
import type { X509CrlEntryParams } from '@peculiar/x509';
import { EdgeError } from '../../errors.ts';
import type { Credentials } from './authority.ts';
import { DAY, describeCertificate, validityOf } from './describe-certificate.ts';
import { ALGORITHM, library, signingKeyOf, webPublicKey, wholeSeconds } from './x509-library.ts';

/** Name of the revocation list in the authority's folder. */
export const REVOCATION_FILE = 'crl.pem';

/** RFC 5280 §5.2.3 */
const CRL_NUMBER = '2.5.29.20';

export interface RevocationOptions {
  readonly authority: Credentials;
  /** the list so far, PEM; a new one begins without */
  readonly list?: string;
  /** what is revoked from now on */
  readonly certificates?: readonly X509Certificate[];
  /** wall clock [ms since 1970] */
  readonly now: number;
}

/**
 * The list of what this authority takes back, PEM. It holds as long as the authority does: a broker whose list has run
 * out lets nobody in, and that is no way to find out that a date has passed.
 * @throws EdgeError `certificateInvalid` when a certificate or the list so far is not of this authority
 */
export async function revocationList({ authority, list, certificates = [], now }: RevocationOptions): Promise<string> {
  const x509 = await library();
  const authorityKey = createPublicKey(authority.key);
  for (const certificate of certificates) {
    if (certificate.verify(authorityKey) && !certificate.ca) continue;
    const { commonName } = describeCertificate(certificate, now);
    throw new EdgeError(
      'certificateInvalid',
      `the certificate of ${commonName} was not issued by this authority`,
      'name the folder of the authority that issued it with --authority',
    );
  }
  const before = list === undefined ? [] : await entriesOf(list, authority);
  const known = new Set(before.map(({ serialNumber }) => serialNumber));
  const added = certificates
    .map(({ serialNumber }) => ({
      serialNumber: serialNumber.toLowerCase(),
      revocationDate: wholeSeconds(now),
      // RFC 5280 §5.3.1: whatever happened, the key must not be believed any more.
      reason: x509.X509CrlReason.keyCompromise,
    }))
    .filter(({ serialNumber }) => !known.has(serialNumber));
  const made = await x509.X509CrlGenerator.create({
    issuer: new x509.X509Certificate(authority.certificate.raw).subjectName,
    // As with certificates: a broker whose clock is behind must not refuse everybody.
    thisUpdate: wholeSeconds(now - DAY),
    nextUpdate: wholeSeconds(validityOf(authority.certificate).notAfter),
    signingAlgorithm: ALGORITHM,
    signingKey: await signingKeyOf(authority.key),
    entries: [...before, ...added],
    extensions: [
      await x509.AuthorityKeyIdentifierExtension.create(await webPublicKey(authority.key)),
      new x509.Extension(CRL_NUMBER, false, derInteger(BigInt(now))),
    ],
  });
  return pemOf(Buffer.from(made.rawData));
}

async function entriesOf(list: string, authority: Credentials): Promise<X509CrlEntryParams[]> {
  const x509 = await library();
  try {
    const parsed = new x509.X509Crl(Buffer.from(list.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64'));
    const publicKey = await webPublicKey(authority.key);
    if (await parsed.verify({ publicKey })) {
      return parsed.entries.map(({ serialNumber, revocationDate, reason }) => ({
        serialNumber,
        revocationDate,
        ...(reason !== undefined && { reason }),
      }));
    }
  } catch {
    // Said below.
  }
  throw new EdgeError(
    'certificateInvalid',
    `${REVOCATION_FILE} is no revocation list of this authority`,
    'put the right one back: what it revokes must not be forgotten',
  );
}

/** RFC 7468 §6: the library's own label is one that OpenSSL does not read. */
function pemOf(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN X509 CRL-----', ...lines, '-----END X509 CRL-----', ''].join('\n');
}

/** X.690 §8.3, of a positive number; it rises with every list. */
function derInteger(value: bigint): Uint8Array {
  const hex = value.toString(16);
  const bytes = Buffer.from(`00${hex.padStart(hex.length + (hex.length % 2), '0')}`, 'hex');
  const body = (bytes[1] ?? 0) < 0x80 ? bytes.subarray(1) : bytes;
  return Buffer.concat([Buffer.from([2, body.length]), body]);
}
