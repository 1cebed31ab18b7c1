import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { EdgeError, messageOf } from '../errors.ts';
import {
  type Credentials,
  checkHosts,
  createAuthority,
  issueCertificate,
  renewCertificate,
} from '../keys/certificates/authority.ts';
import {
  AUTHORITY_FILE,
  keyFileOf,
  readCertificate,
  readCertificateKey,
  readTlsFile,
} from '../keys/certificates/certificate-files.ts';
import { type CertificateRole, certificateRoles, subjectOf } from '../keys/certificates/certificate-role.ts';
import {
  type CertificateFacts,
  describeCertificate,
  validityProblem,
} from '../keys/certificates/describe-certificate.ts';
import { REVOCATION_FILE, revocationList } from '../keys/certificates/revocation.ts';
import {
  ISSUED_FILE,
  recordIssued,
  refuseToReplace,
  replaceCertificate,
  replacePublic,
  withSameKeys,
  writeCredentials,
} from '../keys/certificates/write-certificate.ts';
import { say, sayJson } from './output.ts';

/** Where the authority and what it issues lie unless it is said. */
const FOLDER = 'tls';
/** A certificate that expires sooner deserves a word [days]. */
const SOON = 30;

interface JsonOption {
  json?: boolean;
}

interface ValidityOptions extends JsonOption {
  days?: number;
}

interface AuthorityOptions extends ValidityOptions {
  name: string;
}

interface IssueOptions extends ValidityOptions {
  authority: string;
  out?: string;
  host: string[];
}

interface InspectOptions extends JsonOption {
  days: number;
}

/** `keys authority|issue|renew|revoke|inspect`: the certificates with which brokers, robots and people know each other. */
export function registerCertificates(keys: Command): void {
  const withValidity = (command: Command) =>
    command
      .addOption(new Option('--days <n>', 'how long it is valid (default: what suits its role)').argParser(Number))
      .option('--json', 'print one JSON object as the last line');
  const withAuthority = (command: Command) =>
    command.option('--authority <folder>', `folder of the authority's ${AUTHORITY_FILE} and its key`, FOLDER);

  withValidity(keys.command('authority'))
    .description('make a private certificate authority: whom its certificates name may connect to your broker')
    .argument('[folder]', 'where to put it', FOLDER)
    .option('--name <words>', 'what it is called', 'h2o-edge')
    .action(authority);

  withValidity(withAuthority(keys.command('issue')))
    .description('issue a certificate with a key of its own')
    .addArgument(keys.createArgument('<role>', 'whom it is for').choices(certificateRoles))
    .argument('<name>', 'name of the robot as in its configuration, or of the person or machine')
    .option('--host <name>', 'of a broker: a name or address under which it is reached; repeat for each', collect, [])
    .option('--out <folder>', 'where to put it (default: beside the authority)')
    .action(issue);

  withValidity(withAuthority(keys.command('renew')))
    .description('certify the same key and name for another while')
    .argument('<certificate...>', 'files that this authority has issued, or its own')
    .action(renew);

  withAuthority(keys.command('revoke'))
    .description('take certificates back: brokers that read the list of the authority let them in no more')
    .argument('<certificate...>', 'files that this authority has issued')
    .option('--json', 'print one JSON object as the last line')
    .action(revoke);

  keys
    .command('inspect')
    .description('whom certificates name and how long they are valid; fails when one is not, or not for long')
    .argument('[path...]', 'certificates, or folders of them', [FOLDER])
    .addOption(new Option('--days <n>', 'how long is long').default(SOON).argParser(Number))
    .option('--json', 'print one JSON object as the last line')
    .action(inspect);
}

const collect = (value: string, before: string[]) => [...before, value];

async function authority(folder: string, { name, days, json }: AuthorityOptions): Promise<void> {
  const path = join(folder, AUTHORITY_FILE);
  refuseToReplace(path);
  const made = await createAuthority(name, { now: Date.now(), ...(days !== undefined && { days }) });
  writeCredentials(path, made);
  replacePublic(join(folder, REVOCATION_FILE), await revocationList({ authority: made, now: Date.now() }));
  report(path, made.certificate, json);
  if (json) return;
  say(
    `${keyFileOf(path)}: its private key. Whoever has it can make certificates for anybody: keep it off robots and brokers`,
  );
}

async function issue(role: CertificateRole, name: string, options: IssueOptions): Promise<void> {
  const { authority: folder, out = folder, host: hosts, days, json } = options;
  const subject = subjectOf(role, name);
  checkHosts(role, hosts);
  const path = join(out, `${name.replaceAll(' ', '-')}.pem`);
  refuseToReplace(path);
  const validity = { now: Date.now(), ...(days !== undefined && { days }) };
  const made = await issueCertificate({ authority: authorityIn(folder), subject, hosts, ...validity });
  recordIssued(folder, made.certificate);
  writeCredentials(path, made);
  report(path, made.certificate, json);
  if (!json) say(`${keyFileOf(path)}: its private key; ${role} ${name} needs both, and ${AUTHORITY_FILE}`);
}

async function renew(paths: string[], { authority: folder, days, json }: IssueOptions): Promise<void> {
  const signer = authorityIn(folder);
  const validity = { now: Date.now(), ...(days !== undefined && { days }) };
  const renewed = [];
  for (const path of paths) {
    const certificate = await renewCertificate(readCertificate(path), { authority: signer, ...validity });
    if (!certificate.ca) recordIssued(folder, certificate);
    replaceCertificate(path, certificate);
    // Its list of revocations ends with it, and begins anew.
    if (certificate.ca) await extendRevocations(folder, { certificate, key: signer.key }, []);
    renewed.push({ file: path, ...facts(certificate) });
    if (!json) report(path, certificate, json);
  }
  if (json) sayJson({ ok: true, certificates: renewed });
}

async function revoke(paths: string[], { authority: folder, json }: IssueOptions): Promise<void> {
  const signer = authorityIn(folder);
  const named = paths.map(readCertificate);
  // Renewal changes the number of a certificate and not its key: what was stolen may be an older one.
  const certificates = withSameKeys(folder, named);
  const path = await extendRevocations(folder, signer, certificates);
  if (json) {
    sayJson({ ok: true, file: path, revoked: certificates.map(facts) });
    return;
  }
  for (const { role, name } of named.map(facts)) say(`${path}: ${role} ${name} is revoked`);
  say(`bring ${path} to the broker and reload it`);
}

/** @returns the file that was written */
async function extendRevocations(
  folder: string,
  signer: Credentials,
  certificates: ReadonlyArray<Credentials['certificate']>,
): Promise<string> {
  const path = join(folder, REVOCATION_FILE);
  const list = existsSync(path) ? readTlsFile(path, 'revocation list', 'check its permissions').toString() : undefined;
  const validity = { now: Date.now(), ...(list !== undefined && { list }) };
  replacePublic(path, await revocationList({ authority: signer, certificates, ...validity }));
  return path;
}

function inspect(paths: string[], { days, json }: InspectOptions): void {
  const now = Date.now();
  const seen = paths.flatMap(certificatesIn).map((file) => {
    const certificate = readCertificate(file);
    return { file, ...facts(certificate), problem: validityProblem(certificate, now) };
  });
  if (seen.length === 0) {
    throw new EdgeError(
      'certificateInvalid',
      `there is no certificate in ${paths.join(', ')}`,
      'make them with `h2o-edge keys authority` and `h2o-edge keys issue`',
    );
  }
  const bad = seen.filter(({ problem, daysLeft }) => problem !== '' || daysLeft < days);
  if (json) sayJson({ ok: bad.length === 0, certificates: seen });
  else for (const one of seen) say(lineOf(one));
  const [first] = bad;
  if (!first) return;
  const why = first.problem || `expires in ${first.daysLeft} days`;
  const others = bad.length === 1 ? '' : `, and ${bad.length - 1} more need renewal`;
  throw new EdgeError(
    'certificateInvalid',
    `${first.file} ${why}${others}`,
    `h2o-edge keys renew ${bad.map(({ file }) => file).join(' ')}`,
  );
}

/** @throws EdgeError `fileUnreadable`, `certificateInvalid` */
function authorityIn(folder: string): Credentials {
  const path = join(folder, AUTHORITY_FILE);
  const certificate = readCertificate(path);
  const { key } = readCertificateKey(keyFileOf(path));
  if (!certificate.ca || !certificate.checkPrivateKey(key)) {
    throw new EdgeError(
      'certificateInvalid',
      `${path} and ${keyFileOf(path)} are no authority and its key`,
      'make one with `h2o-edge keys authority`',
    );
  }
  return { certificate, key };
}

/** The file itself, or the certificates of a folder: everything in PEM form that is no key. */
function certificatesIn(path: string): string[] {
  try {
    if (!statSync(path).isDirectory()) return [path];
    const names = readdirSync(path).filter(
      (name) =>
        /\.(pem|crt|cer)$/.test(name) && !/\bkey\b/.test(name) && ![REVOCATION_FILE, ISSUED_FILE].includes(name),
    );
    return names.sort().map((name) => join(path, name));
  } catch (error) {
    throw new EdgeError(
      'fileUnreadable',
      `cannot read ${path}: ${messageOf(error)}`,
      'name a certificate, or a folder of them',
    );
  }
}

const facts = (certificate: Credentials['certificate']) => {
  const { notBefore, notAfter, ...rest } = describeCertificate(certificate, Date.now());
  return { ...rest, notBefore: iso(notBefore), notAfter: iso(notAfter) };
};

const iso = (milliseconds: number) => new Date(milliseconds).toISOString();

function report(path: string, certificate: Credentials['certificate'], json: boolean | undefined): void {
  const known = facts(certificate);
  if (json) sayJson({ ok: true, file: path, key: keyFileOf(path), ...known });
  else say(lineOf({ file: path, ...known, problem: '' }));
}

type Line = Pick<CertificateFacts, 'role' | 'name' | 'hosts' | 'daysLeft'> & {
  file: string;
  notAfter: string;
  problem: string;
};

const lineOf = ({ file, role, name, hosts, daysLeft, notAfter, problem }: Line) =>
  `${file}: ${role} ${name}${hosts.length > 0 ? ` (${hosts.join(', ')})` : ''}, ${problem || `valid until ${notAfter.slice(0, 10)} (${daysLeft} days)`}`;
