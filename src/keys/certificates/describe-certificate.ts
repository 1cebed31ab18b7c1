import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { type CertificateRole, certificateRoles } from './certificate-role.ts';

/** One day [ms]. */
export const DAY = 86_400_000;

/** X.509 §4.2.1.12: what a key may be used for. */
export const SERVER_AUTHENTICATION = '1.3.6.1.5.5.7.3.1';
export const CLIENT_AUTHENTICATION = '1.3.6.1.5.5.7.3.2';

/** What a person wants to know of a certificate. */
export interface CertificateFacts {
  readonly role: CertificateRole | 'authority' | 'other';
  /** robot, person, or first host of a broker */
  readonly name: string;
  readonly commonName: string;
  /** names and addresses that a broker's certificate is good for */
  readonly hosts: readonly string[];
  readonly issuer: string;
  readonly serialNumber: string;
  /** sha256 of the certificate, hexadecimal with colons */
  readonly fingerprint: string;
  /** [ms since 1970] */
  readonly notBefore: number;
  readonly notAfter: number;
  /** whole days until it expires; negative when it has */
  readonly daysLeft: number;
}

/** @param now wall clock [ms since 1970] */
export function describeCertificate(certificate: X509Certificate, now: number): CertificateFacts {
  const { notBefore, notAfter } = validityOf(certificate);
  const commonName = attribute(certificate.subject, 'CN');
  const unit = attribute(certificate.subject, 'OU');
  const hosts = hostsOf(certificate);
  const role = certificate.ca ? 'authority' : (certificateRoles.find((known) => known === unit) ?? 'other');
  return {
    role,
    name: attribute(certificate.subject, 'UID') || commonName,
    commonName,
    hosts,
    issuer: attribute(certificate.issuer, 'CN'),
    serialNumber: certificate.serialNumber.toLowerCase(),
    fingerprint: certificate.fingerprint256,
    notBefore,
    notAfter,
    daysLeft: Math.floor((notAfter - now) / DAY),
  };
}

/** [ms since 1970] */
export function validityOf({ validFrom, validTo }: X509Certificate): {
  readonly notBefore: number;
  readonly notAfter: number;
} {
  return { notBefore: Date.parse(validFrom), notAfter: Date.parse(validTo) };
}

/** DNS names and IP addresses of the subject alternative name. */
export function hostsOf({ subjectAltName = '' }: X509Certificate): string[] {
  return [...subjectAltName.matchAll(/(?:DNS|IP Address):([^,\s]+)/g)].flatMap(([, host]) => host ?? []);
}

/** Whether a certificate is good for a host, as TLS will look at it. */
export const isForHost = (certificate: X509Certificate, host: string): boolean =>
  (isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)) !== undefined;

/** The value of one attribute of a distinguished name as Node writes it, a line each; empty if it has none. */
function attribute(name: string, key: string): string {
  const line = name.split('\n').find((candidate) => candidate.startsWith(`${key}=`));
  return line?.slice(key.length + 1) ?? '';
}

/**
 * Why a certificate does not hold now, or empty.
 * @param now wall clock [ms since 1970]
 */
export function validityProblem(certificate: X509Certificate, now: number): string {
  const { notBefore, notAfter } = validityOf(certificate);
  if (now > notAfter) return `has expired on ${day(notAfter)}`;
  return now < notBefore ? `is not valid before ${day(notBefore)}` : '';
}

const day = (milliseconds: number) =>
  new Date(milliseconds).toISOString().slice(0, 16).replace('T', ' ').concat(' UTC');
