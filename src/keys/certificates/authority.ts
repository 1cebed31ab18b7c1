import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { Extension, JsonName, Name } from '@peculiar/x509';
import { EdgeError } from '../../errors.ts';
import { type CertificateRole, checkAuthorityName, type Subject, VALID_DAYS } from './certificate-role.ts';
import {
  CLIENT_AUTHENTICATION,
  DAY,
  describeCertificate,
  SERVER_AUTHENTICATION,
  validityOf,
  validityProblem,
} from './describe-certificate.ts';
import { ALGORITHM, library, signingKeyOf, webPublicKey, wholeSeconds } from './x509-library.ts';

/** A certificate with the private key that belongs to it. */
export interface Credentials {
  readonly certificate: X509Certificate;
  readonly key: KeyObject;
}

export interface Validity {
  /** wall clock [ms since 1970] */
  readonly now: number;
  /** from now; by default what suits the role */
  readonly days?: number;
}

export interface IssueOptions extends Validity {
  readonly authority: Credentials;
  readonly subject: Subject;
  /** of a broker: DNS names and IP addresses under which it is reached */
  readonly hosts?: readonly string[];
}

/** A robot without a clock that runs on a battery starts in the past: certificates hold from before they were made. */
const BACKDATED_DAYS = 1;
/** Twenty years. */
const MOST_DAYS = 7300;
/** RFC 4519 §2.39 */
const UID = '0.9.2342.19200300.100.1.1';
/** RFC 1034 §3.5, with the wildcard of RFC 6125 */
const HOST_NAME =
  /^(?=.{1,253}$)(\*\.)?([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/;

/**
 * A new certificate authority, which signs itself.
 * @throws EdgeError `certificateInvalid`, `usage`
 */
export async function createAuthority(name: string, validity: Validity): Promise<Credentials> {
  checkAuthorityName(name);
  const key = newKey();
  return { key, certificate: await sign({ kind: 'authority', subject: [{ CN: [name] }], key, signer: key, validity }) };
}

/**
 * Signs a new key pair for a broker, robot, operator or trainer.
 * @throws EdgeError `certificateInvalid`, `usage`
 */
export async function issueCertificate({
  authority,
  subject,
  hosts = [],
  ...validity
}: IssueOptions): Promise<Credentials> {
  const key = newKey();
  return { key, certificate: await certify(authority, subject, hosts, key, validity) };
}

/**
 * The same subject, hosts and key for another while.
 * @throws EdgeError `certificateInvalid` when this authority has not issued it
 */
export async function renewCertificate(
  certificate: X509Certificate,
  { authority, ...validity }: { readonly authority: Credentials } & Validity,
): Promise<X509Certificate> {
  const { role, name, commonName, hosts } = describeCertificate(certificate, validity.now);
  if (!certificate.verify(createPublicKey(authority.key))) {
    throw new EdgeError(
      'certificateInvalid',
      `the certificate of ${commonName} was not issued by ${describeCertificate(authority.certificate, 0).name}`,
      'name the folder of the authority that issued it with --authority',
    );
  }
  if (role === 'authority') {
    // Same name and key: what it has signed stays good.
    return await sign({ kind: role, subject: certificate, key: authority.key, signer: authority.key, validity });
  }
  if (role === 'other') {
    throw new EdgeError(
      'certificateInvalid',
      `the certificate of ${commonName} has no role that h2o-edge knows`,
      'renew it with the program that made it',
    );
  }
  const person = role === 'robot' ? '' : name;
  return await certify(authority, { role, commonName, person }, hosts, certificate.publicKey, validity);
}

/** @throws EdgeError `usage` */
export function checkHosts(role: CertificateRole, hosts: readonly string[]): void {
  if (role !== 'broker') {
    if (hosts.length === 0) return;
    throw new EdgeError(
      'usage',
      `a certificate of a${role === 'operator' ? 'n' : ''} ${role} is for no host`,
      'leave --host out: only brokers have addresses',
    );
  }
  if (hosts.length === 0) {
    throw new EdgeError(
      'usage',
      'a broker is known by the names and addresses under which it is reached, and none is given',
      'add --host for each, for example --host broker.local --host 192.168.1.2',
    );
  }
  const wrong = hosts.find((host) => isIP(host) === 0 && !HOST_NAME.test(host));
  // What looks like an IPv4 address and is none would be taken for a name that nobody can have.
  const almost = hosts.find((host) => isIP(host) === 0 && /^[\d.]+$/.test(host));
  if (wrong !== undefined || almost !== undefined) {
    throw new EdgeError(
      'usage',
      `"${wrong ?? almost}" is neither a host name nor an IP address`,
      'leave scheme, port and slashes away',
    );
  }
}

async function certify(
  authority: Credentials,
  subject: Subject,
  hosts: readonly string[],
  key: KeyObject,
  validity: Validity,
): Promise<X509Certificate> {
  const { role, commonName, person } = subject;
  checkHosts(role, hosts);
  return await sign({
    kind: role,
    subject: [{ OU: [role] }, { CN: [commonName] }, ...(person === '' ? [] : [{ [UID]: [person] }])],
    hosts,
    key,
    issuer: authority.certificate,
    signer: authority.key,
    validity,
  });
}

interface SignOptions {
  readonly kind: CertificateRole | 'authority';
  /** or the certificate that has the same one */
  readonly subject: JsonName | X509Certificate;
  readonly hosts?: readonly string[];
  /** whose public half is certified */
  readonly key: KeyObject;
  /** itself if not given */
  readonly issuer?: X509Certificate;
  /** private key of the issuer */
  readonly signer: KeyObject;
  readonly validity: Validity;
}

/** Profile: RFC 5280 §4.2; each extension is one that `openssl verify -x509_strict` asks for. */
async function sign({
  kind,
  subject,
  hosts = [],
  key,
  issuer,
  signer,
  validity,
}: SignOptions): Promise<X509Certificate> {
  const x509 = await library();
  const nameOf = (certificate: X509Certificate): Name => new x509.X509Certificate(certificate.raw).subjectName;
  const subjectName = subject instanceof X509Certificate ? nameOf(subject) : new x509.Name(subject);
  const publicKey = await webPublicKey(key);
  const signingKey = await signingKeyOf(signer);
  const authority = kind === 'authority';
  const server = kind === 'broker';
  const { keyCertSign, cRLSign, digitalSignature } = x509.KeyUsageFlags;
  const extensions: Extension[] = [
    new x509.BasicConstraintsExtension(authority, authority ? 0 : undefined, true),
    new x509.KeyUsagesExtension(authority ? keyCertSign | cRLSign : digitalSignature, true),
    await x509.SubjectKeyIdentifierExtension.create(publicKey),
    await x509.AuthorityKeyIdentifierExtension.create(await webPublicKey(signer)),
  ];
  if (!authority)
    extensions.push(new x509.ExtendedKeyUsageExtension([server ? SERVER_AUTHENTICATION : CLIENT_AUTHENTICATION]));
  if (hosts.length > 0) {
    const names = hosts.map((host) => ({ type: isIP(host) === 0 ? ('dns' as const) : ('ip' as const), value: host }));
    extensions.push(new x509.SubjectAlternativeNameExtension(names));
  }
  const { notBefore, notAfter } = period(validity, VALID_DAYS[kind], issuer);
  const made = await x509.X509CertificateGenerator.create({
    serialNumber: newSerialNumber(),
    subject: subjectName,
    issuer: issuer ? nameOf(issuer) : subjectName,
    notBefore,
    notAfter,
    publicKey,
    signingKey,
    signingAlgorithm: ALGORITHM,
    extensions,
  });
  return new X509Certificate(Buffer.from(made.rawData));
}

/** Nothing outlives its authority. */
function period(
  { now, days }: Validity,
  usual: number,
  issuer: X509Certificate | undefined,
): { notBefore: Date; notAfter: Date } {
  if (days !== undefined && !(Number.isInteger(days) && days >= 1 && days <= MOST_DAYS)) {
    throw new EdgeError(
      'usage',
      `a certificate cannot be valid for ${days} days`,
      `give a whole number from 1 to ${MOST_DAYS}`,
    );
  }
  const problem = issuer ? validityProblem(issuer, now) : '';
  if (problem !== '') {
    throw new EdgeError(
      'certificateInvalid',
      `the authority ${problem}`,
      'renew it: `h2o-edge keys renew` with its ca.pem',
    );
  }
  const end = now + (days ?? usual) * DAY;
  return {
    notBefore: wholeSeconds(now - BACKDATED_DAYS * DAY),
    notAfter: wholeSeconds(issuer ? Math.min(end, validityOf(issuer).notAfter) : end),
  };
}

const newKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: ALGORITHM.namedCurve }).privateKey;

/** RFC 5280 §4.1.2.2: positive, at most 20 bytes; random, so that nobody can guess what will be signed. */
function newSerialNumber(): string {
  const bytes = randomBytes(16);
  // The highest bit is the sign; the next keeps the length.
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}
