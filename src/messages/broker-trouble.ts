import { messageOf } from '../errors.ts';
import type { BrokerAccess } from './broker-config.ts';

/** Why a broker cannot be reached, in words, and what to do about it. */
export interface BrokerTrouble {
  readonly problem: string;
  readonly remedy: string;
}

/** What the other side says of our certificate: TLS alert numbers, RFC 8446 §6. */
const ALERTS: Readonly<Record<number, BrokerTrouble>> = {
  40: {
    problem: 'the broker refuses the handshake; if no certificate was shown, it may want one',
    remedy: 'name a certificate that its authority has issued',
  },
  42: refused('is broken'),
  43: refused('is not one for clients'),
  44: refused('was revoked'),
  45: { problem: 'the broker says that our certificate has expired', remedy: 'renew it: `h2o-edge keys renew`' },
  46: refused('is not acceptable'),
  48: refused('comes from an authority that it does not know'),
  70: { problem: 'the broker speaks no version of TLS that is safe', remedy: 'let it speak TLS 1.2 or later' },
  116: {
    problem: 'the broker wants a certificate, and none was shown',
    remedy: 'name one that its authority has issued; `h2o-edge keys issue` makes them',
  },
};

const UNTRUSTED: BrokerTrouble = {
  problem: "the broker's certificate comes from an authority that is not trusted here",
  remedy: "name the ca.pem of the broker's authority",
};

/** What we say of the broker's certificate: codes of OpenSSL (X509_verify_cert_error_string) and Node. */
const VERDICTS: Readonly<Record<string, BrokerTrouble>> = {
  CERT_HAS_EXPIRED: {
    problem: "the broker's certificate has expired",
    remedy: "renew it: `h2o-edge keys renew`; if it has not, set this computer's clock",
  },
  CERT_NOT_YET_VALID: {
    problem: "the broker's certificate is not valid yet",
    remedy: "set this computer's clock, and the one of whoever issued it",
  },
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  CERT_SIGNATURE_FAILURE: UNTRUSTED,
  INVALID_CA: UNTRUSTED,
  INVALID_PURPOSE: {
    problem: "the broker's certificate is not one for brokers",
    remedy: 'issue one: `h2o-edge keys issue broker NAME --host …`',
  },
  ERR_SSL_WRONG_VERSION_NUMBER: {
    problem: 'there is no TLS on that port',
    remedy: "give the port of the broker's TLS listener, usually 8883, or mqtt:// for none",
  },
  ERR_SSL_UNSUPPORTED_PROTOCOL: {
    problem: 'the broker speaks no version of TLS that is safe',
    remedy: 'let it speak TLS 1.2 or later',
  },
};

/** Both sides end like this when one of them does not understand the other. */
const ABRUPT = ['ECONNRESET', 'EPIPE', 'EPROTO'];

/**
 * An error of a connection to a broker in words; never OpenSSL's own.
 * @param access how it was made
 */
export function brokerTrouble(error: unknown, { url, cert }: Pick<BrokerAccess, 'url' | 'cert'>): BrokerTrouble {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const message = messageOf(error).trim();
  const alert = ALERTS[Number(/SSL alert number (\d+)/.exec(message)?.[1])];
  if (alert) return alert;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return wrongHost(error, url);
  const verdict = VERDICTS[code];
  if (verdict) return verdict;
  if (ABRUPT.includes(code) || message === 'the connection was closed') return abrupt(url, cert !== undefined, code);
  return {
    problem: /SSL routines/.test(message) ? `TLS failed (${code || 'no code'})` : message || 'it cannot be reached',
    remedy: 'check its address, your network and your credentials',
  };
}

/** Whether the connection was to be encrypted. */
export const isSecure = (url: string): boolean => /^(mqtts|ssl|tls|wss):/i.test(url);

function refused(why: string): BrokerTrouble {
  return {
    problem: `the broker refuses our certificate: it ${why}`,
    remedy: "use one that the broker's own authority has issued for this role; `h2o-edge keys inspect FILE` shows it",
  };
}

function wrongHost(error: unknown, url: string): BrokerTrouble {
  const host = hostOf(url);
  const certificate = error instanceof Error && 'cert' in error ? error.cert : undefined;
  const names =
    typeof certificate === 'object' && certificate !== null && 'subjectaltname' in certificate
      ? String(certificate.subjectaltname).replaceAll(/DNS:|IP Address:/g, '')
      : '';
  return {
    problem: `the broker's certificate is not for ${host}${names === '' ? '' : ` but for ${names}`}`,
    remedy: `use one of its names in the address, or issue it with --host ${host}`,
  };
}

function abrupt(url: string, certificate: boolean, code: string): BrokerTrouble {
  const cut = `the connection was cut${code === '' ? '' : ` (${code})`}`;
  if (!isSecure(url)) {
    return { problem: cut, remedy: 'if that port speaks TLS, write mqtts://; else see the log of the broker' };
  }
  return certificate
    ? { problem: cut, remedy: 'is that the TLS port? The log of the broker may say more' }
    : {
        problem: `${cut} and no certificate was shown`,
        remedy: 'is that the TLS port, and does the broker want a certificate?',
      };
}

function hostOf(url: string): string {
  try {
    return new URL(url).hostname;
  } catch {
    return url;
  }
}
