import { EdgeError } from '../../errors.ts';

/** What a certificate is for. It says who may connect to a broker; who may start a robot is said by signing keys alone. */
export const certificateRoles = ['broker', 'robot', 'operator', 'trainer'] as const;
export type CertificateRole = (typeof certificateRoles)[number];

/** Names that no robot can have: brokers take them for the roles of their access lists, and topics for a tree of their own. */
export const RESERVED_NAMES: readonly string[] = certificateRoles.filter((role) => role !== 'robot');

const ROBOT_NAME = /^[a-z0-9][a-z0-9-]{0,31}$/;
const PERSON_NAME = /^[A-Za-z0-9][A-Za-z0-9 ._@-]{0,63}$/;

/**
 * Days that a certificate holds. The authority outlives what it signs. A person's goes around on laptops and is renewed
 * every year; 825 days is the most that Apple's systems take from a server.
 */
export const VALID_DAYS = {
  authority: 3650,
  broker: 825,
  robot: 825,
  operator: 397,
  trainer: 825,
} as const satisfies Record<CertificateRole | 'authority', number>;

/** An operator or trainer is one of many to the broker's access list: their common name is the role, the person is the UID. */
export interface Subject {
  readonly role: CertificateRole;
  /** what mosquitto takes for the user (`use_identity_as_username`): a robot's name, or the role */
  readonly commonName: string;
  /** the person or machine behind a role; empty for robots, whose common name says it all */
  readonly person: string;
}

/** @throws EdgeError `usage` when that is no name for the role */
export function subjectOf(role: CertificateRole, name: string): Subject {
  if (role === 'robot') {
    if (!ROBOT_NAME.test(name) || RESERVED_NAMES.includes(name)) {
      throw new EdgeError(
        'usage',
        `"${name}" is no name of a robot`,
        `lower case letters, digits and "-", at most 32, as in \`name\` of its configuration, and not ${RESERVED_NAMES.join(', ')}`,
      );
    }
    return { role, commonName: name, person: '' };
  }
  // A certificate lies in a file of that name, and these are the authority's.
  if (!PERSON_NAME.test(name) || ['ca', 'crl', 'issued'].includes(name)) {
    throw new EdgeError(
      'usage',
      `"${name}" is no name of a${role === 'operator' ? 'n' : ''} ${role}`,
      'letters, digits, blank and ._@-, at most 64, and not ca, crl or issued',
    );
  }
  return { role, commonName: role, person: name };
}

/** @throws EdgeError `usage` when an authority cannot be called so */
export function checkAuthorityName(name: string): void {
  if (PERSON_NAME.test(name)) return;
  throw new EdgeError('usage', `"${name}" is no name of an authority`, 'letters, digits, blank and ._@-, at most 64');
}
