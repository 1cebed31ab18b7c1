import type { X509Certificate } from 'node:crypto';
import { EdgeError } from '../errors.ts';
import {
  filesBeside,
  parseCertificates,
  readCertificateKey,
  readTlsFile,
} from '../keys/certificates/certificate-files.ts';
import {
  CLIENT_AUTHENTICATION,
  describeCertificate,
  validityProblem,
} from '../keys/certificates/describe-certificate.ts';
import { isSecure } from './broker-trouble.ts';
import type { Config } from './config.ts';

/** How to reach a broker, with what its files hold. */
export interface BrokerAccess {
  /** `mqtt://` or `mqtts://`; a client that is not the robot may use `ws://` and `wss://` too */
  readonly url: string;
  readonly username?: string;
  readonly password?: string;
  /** PEM */
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
}

/** As in the configuration and on the command line; an empty one is not given. */
export type BrokerFiles = Config['broker'];

/** Older than any TLS that is safe is refused, whatever the process was told otherwise. */
export const LEAST_TLS = { minVersion: 'TLSv1.2' } as const;

/** A certificate that expires sooner is worth a warning [days]. */
const SOON = 30;

/**
 * The broker of a configuration, or `undefined` if there is none.
 * @throws EdgeError as `accessBroker`
 */
export function brokerAccess({ broker }: Config): BrokerAccess | undefined {
  return broker.url === '' ? undefined : accessBroker(broker);
}

/**
 * Reads the files of a broker and checks that they fit together. Whether certificates hold at present is not asked here:
 * a robot whose clock is wrong must start all the same, see `accessWarnings`.
 * @throws EdgeError `fileUnreadable`, `certificateInvalid`, `configInvalid`
 */
export function accessBroker(files: BrokerFiles): BrokerAccess {
  const { url, username, passwordFile, certFile } = files;
  if (certFile === '' && files.keyFile !== '') {
    throw new EdgeError(
      'configInvalid',
      `there is a private key (${files.keyFile}) but no certificate`,
      'name the certificate that belongs to it: certFile',
    );
  }
  if (!isSecure(url) && (certFile !== '' || files.caFile !== '')) {
    throw new EdgeError(
      'configInvalid',
      `certificates are of no use without TLS, and ${url} has none`,
      'write mqtts:// and the port of the TLS listener, usually 8883',
    );
  }
  const { keyFile, caFile } = certFile === '' ? files : filesBeside(files);
  return {
    url,
    ...(username !== '' && { username }),
    ...(passwordFile !== '' && {
      password: readTlsFile(passwordFile, 'password file', NAMED).toString('utf8').trimEnd(),
    }),
    ...(caFile !== '' && { ca: authority(caFile) }),
    ...(certFile !== '' && clientCertificate(certFile, keyFile)),
  };
}

const NAMED =
  'check the path and its permissions; it is named under `broker` in the configuration, or on the command line';

function authority(path: string): Buffer {
  const pem = readTlsFile(path, "certificate of the broker's authority", NAMED);
  parseCertificates(pem, path);
  return pem;
}

function clientCertificate(certFile: string, keyFile: string): { cert: Buffer; key: Buffer } {
  const cert = readTlsFile(certFile, 'certificate', NAMED);
  const [certificate] = parseCertificates(cert, certFile);
  const { pem, key } = readCertificateKey(keyFile);
  if (!certificate?.checkPrivateKey(key)) {
    throw new EdgeError(
      'certificateInvalid',
      `the private key ${keyFile} does not belong to the certificate ${certFile}`,
      'name the two that were issued together, or issue new ones: `h2o-edge keys issue`',
    );
  }
  // RFC 5280 §4.2.1.12: if it says what it is for, it is for nothing else. (What Node calls keyUsage is the extended one.)
  const uses: readonly string[] | undefined = certificate.keyUsage;
  if (uses !== undefined && uses.length > 0 && !uses.includes(CLIENT_AUTHENTICATION)) {
    throw new EdgeError(
      'certificateInvalid',
      `${certFile} is a certificate for a broker`,
      'name one that was issued for a robot, operator or trainer',
    );
  }
  return { cert, key: pem };
}

/**
 * What is wrong with the certificates at this moment, or will be soon, worst first; and what is odd about them.
 * @param now wall clock [ms since 1970]
 * @param robot name of the robot that shows the certificate, if it is a robot
 */
export function accessWarnings({ ca, cert }: BrokerAccess, now: number, robot?: string): AccessWarning[] {
  const warnings: AccessWarning[] = [];
  const look = (certificate: X509Certificate, whose: string) => {
    const { daysLeft } = describeCertificate(certificate, now);
    const problem = validityProblem(certificate, now);
    const remedy = "renew it: `h2o-edge keys renew`; if it should be valid, set this computer's clock";
    if (problem !== '') warnings.unshift({ problem: `${whose} ${problem}`, remedy, now: true });
    else if (daysLeft < SOON) warnings.push({ problem: `${whose} expires in ${daysLeft} days`, remedy, now: false });
  };
  for (const certificate of ca === undefined ? [] : parseCertificates(ca, 'ca'))
    look(certificate, "the authority's certificate");
  const [own] = cert === undefined ? [] : parseCertificates(cert, 'cert');
  if (own) look(own, 'our certificate');
  const { role, commonName } = own ? describeCertificate(own, now) : { role: 'other' as const, commonName: '' };
  if (robot !== undefined && role !== 'other' && (role !== 'robot' || commonName !== robot)) {
    warnings.push({
      problem: `this robot is ${robot}, and its certificate is for ${role} ${commonName}: a broker that looks will not let it speak for itself`,
      remedy: `issue one for it: \`h2o-edge keys issue robot ${robot}\``,
      now: false,
    });
  }
  return warnings;
}

export interface AccessWarning {
  readonly problem: string;
  readonly remedy: string;
  /** no connection can come about as it is */
  readonly now: boolean;
}
