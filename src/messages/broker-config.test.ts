import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Credentials, createAuthority, issueCertificate } from '../keys/certificates/authority.ts';
import { keyFileOf } from '../keys/certificates/certificate-files.ts';
import { subjectOf } from '../keys/certificates/certificate-role.ts';
import { folderOfTest } from '../keys/certificates/certificates.testing.ts';
import { DAY } from '../keys/certificates/describe-certificate.ts';
import { writeCredentials } from '../keys/certificates/write-certificate.ts';
import { accessBroker, accessWarnings, type BrokerFiles } from './broker-config.ts';

const NOW = Date.now();
const NONE: BrokerFiles = {
  url: 'mqtts://broker:8883',
  username: '',
  passwordFile: '',
  caFile: '',
  certFile: '',
  keyFile: '',
};

let folder = '';
let authority: Credentials;

async function made(role: 'robot' | 'operator', name: string, days = 100): Promise<string> {
  const certFile = join(folder, `${name}.pem`);
  writeCredentials(certFile, await issueCertificate({ authority, subject: subjectOf(role, name), now: NOW, days }));
  return certFile;
}

beforeEach(async () => {
  folder = folderOfTest();
  authority = await createAuthority('a', { now: NOW });
  writeCredentials(join(folder, 'ca.pem'), authority);
});

describe('the way to a broker', () => {
  it('takes the private key and the authority from beside the certificate, unless they are named', async () => {
    const certFile = await made('robot', 'r1');
    const access = accessBroker({ ...NONE, certFile });
    expect(access.ca?.toString()).toBe(authority.certificate.toString());
    expect(access.key?.toString()).toMatch(/^-----BEGIN PRIVATE KEY-----/);

    // Alone in its folder, the system's authorities hold.
    const alone = join(folder, 'alone', 'mine.crt');
    mkdirSync(dirname(alone));
    copyFileSync(certFile, alone);
    const keyFile = keyFileOf(certFile);
    expect(accessBroker({ ...NONE, certFile: alone, keyFile })).not.toHaveProperty('ca');
    expect(() => accessBroker({ ...NONE, certFile: alone })).toThrow(/alone\/mine\.key\.pem/);
  });

  it('may want a password, whose file may end in a line break', () => {
    const passwordFile = join(folder, 'password');
    writeFileSync(passwordFile, 'secret\n');
    expect(accessBroker({ ...NONE, username: 'anna', passwordFile })).toEqual({
      url: NONE.url,
      username: 'anna',
      password: 'secret',
    });
  });

  it('is refused when its parts do not fit together', async () => {
    const certFile = await made('robot', 'r1');
    const other = await made('robot', 'r2');
    const config = expect.objectContaining({ codeName: 'configInvalid' });
    const certificate = expect.objectContaining({ codeName: 'certificateInvalid' });
    expect(() => accessBroker({ ...NONE, keyFile: keyFileOf(certFile) })).toThrow(config);
    expect(() => accessBroker({ ...NONE, url: 'mqtt://broker', certFile })).toThrow(config);
    expect(() => accessBroker({ ...NONE, url: 'mqtt://broker', caFile: join(folder, 'ca.pem') })).toThrow(config);
    expect(() => accessBroker({ ...NONE, certFile, keyFile: keyFileOf(other) })).toThrow(certificate);
    expect(() => accessBroker({ ...NONE, certFile, caFile: keyFileOf(certFile) })).toThrow(certificate);
    chmodSync(keyFileOf(certFile), 0o604);
    expect(() => accessBroker({ ...NONE, certFile })).toThrow(certificate);
    // A group may read it: so a service gets at a key of root's.
    chmodSync(keyFileOf(certFile), 0o640);
    expect(accessBroker({ ...NONE, certFile })).toHaveProperty('key');
  });

  it('warns of certificates that do not hold, or will not for long, or are for another; and a robot starts all the same', async () => {
    const access = accessBroker({ ...NONE, certFile: await made('robot', 'r1') });
    const problems = (at: number, robot?: string) =>
      accessWarnings(access, at, robot).map(({ problem, now }) => [now, problem]);
    expect(problems(NOW, 'r1')).toEqual([]);
    expect(problems(NOW + 90 * DAY)).toEqual([[false, 'our certificate expires in 9 days']]);
    expect(problems(NOW + 101 * DAY)).toEqual([[true, expect.stringMatching(/^our certificate has expired on /)]]);
    // A clock that was never set.
    expect(problems(0)).toEqual([
      [true, expect.stringMatching(/is not valid before/)],
      [true, expect.stringMatching(/is not valid before/)],
    ]);
    expect(problems(NOW, 'r2')).toEqual([[false, expect.stringContaining('is for robot r1')]]);
    const person = accessBroker({ ...NONE, certFile: await made('operator', 'anna') });
    expect(accessWarnings(person, NOW, 'r1')).toEqual([
      expect.objectContaining({ problem: expect.stringContaining('is for operator') }),
    ]);
    expect(accessWarnings(person, NOW)).toEqual([]);
  });
});
