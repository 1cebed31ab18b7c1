import { createPrivateKey, X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Credentials, checkHosts, createAuthority, issueCertificate, renewCertificate } from './authority.ts';
import { certificateRoles, RESERVED_NAMES, subjectOf, VALID_DAYS } from './certificate-role.ts';
import { folderOfTest, openssl, opensslMissing, opensslOk } from './certificates.testing.ts';
import { DAY, describeCertificate, isForHost, validityOf, validityProblem } from './describe-certificate.ts';
import { revocationList } from './revocation.ts';

const NOW = Date.UTC(2026, 10, 24, 12);
const HOSTS = ['broker.local', '192.168.1.2', '2001:db8::1'];

const issue = (authority: Credentials, role: 'broker' | 'robot' | 'operator' | 'trainer', days?: number) =>
  issueCertificate({
    authority,
    subject: subjectOf(role, role === 'robot' ? 'robot-1' : 'anna'),
    hosts: role === 'broker' ? HOSTS : [],
    now: NOW,
    ...(days !== undefined && { days }),
  });

const usage = expect.objectContaining({ codeName: 'usage' });
const invalid = expect.objectContaining({ codeName: 'certificateInvalid' });

describe('a certificate of a private authority', () => {
  it('says whom it names, for how long, and what it is good for', async () => {
    const authority = await createAuthority('my house', { now: NOW });
    expect(describeCertificate(authority.certificate, NOW)).toMatchObject({
      role: 'authority',
      name: 'my house',
      issuer: 'my house',
      daysLeft: VALID_DAYS.authority,
    });
    for (const role of certificateRoles) {
      const { certificate, key } = await issue(authority, role);
      const robot = role === 'robot';
      expect(describeCertificate(certificate, NOW)).toMatchObject({
        role,
        name: robot ? 'robot-1' : 'anna',
        // What mosquitto takes for the user.
        commonName: robot ? 'robot-1' : role,
        hosts: role === 'broker' ? ['broker.local', '192.168.1.2', expect.stringMatching(/^2001:/i)] : [],
        issuer: 'my house',
        daysLeft: VALID_DAYS[role],
      });
      expect(certificate.checkPrivateKey(key)).toBe(true);
      expect(certificate.checkIssued(authority.certificate)).toBe(true);
      expect(certificate.verify(authority.certificate.publicKey)).toBe(true);
      // A robot whose clock is a little behind takes it.
      expect(validityProblem(certificate, NOW - DAY / 2)).toBe('');
      expect(validityProblem(certificate, NOW - 2 * DAY)).toMatch(/not valid before/);
      expect(validityProblem(certificate, NOW + (VALID_DAYS[role] + 1) * DAY)).toMatch(/has expired on/);
    }
  });

  it('is for the hosts that it names and for no other', async () => {
    const authority = await createAuthority('a', { now: NOW });
    const { certificate } = await issue(authority, 'broker');
    for (const host of HOSTS) expect(isForHost(certificate, host), host).toBe(true);
    for (const host of ['other.local', '192.168.1.3', 'x.broker.local'])
      expect(isForHost(certificate, host), host).toBe(false);
  });

  it.skipIf(opensslMissing !== '')(`is one that OpenSSL takes at its strictest ${opensslMissing}`, async () => {
    const folder = folderOfTest();
    const path = (name: string) => join(folder, name);
    const authority = await createAuthority('a', { now: Date.now() });
    writeFileSync(path('ca.pem'), authority.certificate.toString());
    const strictly = ['verify', '-x509_strict', '-CAfile', path('ca.pem')];
    opensslOk(...strictly, path('ca.pem'));
    for (const role of certificateRoles) {
      const subject = subjectOf(role, 'x1');
      const hosts = role === 'broker' ? HOSTS : [];
      const made = await issueCertificate({ authority, subject, hosts, now: Date.now() });
      const renewed = await renewCertificate(made.certificate, { authority, now: Date.now(), days: 3 });
      const [mine, others] = role === 'broker' ? ['sslserver', 'sslclient'] : ['sslclient', 'sslserver'];
      for (const certificate of [made.certificate, renewed]) {
        writeFileSync(path('x.pem'), certificate.toString());
        expect(openssl(...strictly, '-purpose', mine ?? '', path('x.pem'))).toMatch(/x\.pem: OK/);
        // RFC 5280 §4.2.1.12: a robot is no broker, and a broker no client.
        expect(openssl(...strictly, '-purpose', others ?? '', path('x.pem'))).toMatch(/unsuitable certificate purpose/);
      }
      const text = opensslOk('x509', '-in', path('x.pem'), '-noout', '-text');
      expect(text).toMatch(/Basic Constraints: critical\s+CA:FALSE/);
      expect(text).toMatch(/Key Usage: critical\s+Digital Signature\n/);
      expect(text).toContain('Subject Key Identifier');
      expect(text).toContain('Authority Key Identifier');
      expect(text).toMatch(/Version: 3/);
    }
    const text = opensslOk('x509', '-in', path('ca.pem'), '-noout', '-text');
    expect(text).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:0/);
    expect(text).toMatch(/Key Usage: critical\s+Certificate Sign, CRL Sign\n/);
  });

  it('is renewed with its name and key, by its own authority alone', async () => {
    const authority = await createAuthority('a', { now: NOW });
    const stranger = await createAuthority('a', { now: NOW });
    const { certificate, key } = await issue(authority, 'operator', 10);
    const renewed = await renewCertificate(certificate, { authority, now: NOW + 5 * DAY });
    expect(renewed.checkPrivateKey(key)).toBe(true);
    expect(renewed.subject).toBe(certificate.subject);
    expect(renewed.serialNumber).not.toBe(certificate.serialNumber);
    expect(describeCertificate(renewed, NOW + 5 * DAY).daysLeft).toBe(VALID_DAYS.operator);
    await expect(renewCertificate(certificate, { authority: stranger, now: NOW })).rejects.toThrow(invalid);
  });

  it('stays good when its authority is renewed', async () => {
    const authority = await createAuthority('a', { now: NOW, days: 100 });
    const { certificate } = await issue(authority, 'robot');
    // Nothing outlives its authority.
    expect(validityOf(certificate).notAfter).toBe(validityOf(authority.certificate).notAfter);
    const later = NOW + 90 * DAY;
    const renewed = await renewCertificate(authority.certificate, { authority, now: later });
    expect(describeCertificate(renewed, later).daysLeft).toBe(VALID_DAYS.authority);
    expect(certificate.checkIssued(renewed) && certificate.verify(renewed.publicKey)).toBe(true);
    await expect(issue({ certificate: renewed, key: authority.key }, 'robot')).rejects.toThrow('is not valid before');
  });

  it('is not made by an authority that has expired, nor for a time that is none', async () => {
    const authority = await createAuthority('a', { now: NOW - 20 * DAY, days: 10 });
    await expect(issue(authority, 'robot')).rejects.toThrow(invalid);
    for (const name of ['', 'x'.repeat(65), 'a\nCN=b'])
      await expect(createAuthority(name, { now: NOW })).rejects.toThrow(usage);
    const good = await createAuthority('a', { now: NOW });
    for (const days of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 100_000]) {
      await expect(issue(good, 'robot', days), String(days)).rejects.toThrow(usage);
    }
  });
});

describe('a name', () => {
  it('of a robot is never one that access lists take for a role', () => {
    for (const name of [
      ...RESERVED_NAMES,
      'Robot',
      'a/b',
      '+',
      '#',
      '',
      'x'.repeat(33),
      'robot 1',
      'robot\n1',
      'r1/../r2',
    ]) {
      expect(() => subjectOf('robot', name), name).toThrow(usage);
    }
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 40 }),
        fc.constantFrom('operator' as const, 'trainer' as const, 'broker' as const),
        (name, role) => {
          let commonName = '';
          try {
            ({ commonName } = subjectOf(role, name));
          } catch {
            return true;
          }
          // Whatever a person is called, to the access lists they are their role, and no robot.
          return commonName === role;
        },
      ),
    );
  });

  it('of a host is one that TLS can compare', () => {
    for (const host of ['https://x', 'a b', 'x:8883', '300.1.1.1', '1.2.3', '-x', 'x-', '', 'a..b', 'ü.de', '*.*.de']) {
      expect(() => checkHosts('broker', [host]), host).toThrow(usage);
    }
    expect(() =>
      checkHosts('broker', ['localhost', 'a.b-c.example', '*.example.org', '::1', '10.0.0.1']),
    ).not.toThrow();
    expect(() => checkHosts('broker', [])).toThrow(usage);
    expect(() => checkHosts('robot', ['x'])).toThrow(usage);
  });
});

describe.skipIf(opensslMissing !== '')(`a revocation ${opensslMissing}`, () => {
  it('is never forgotten, and is one that OpenSSL heeds', async () => {
    const folder = folderOfTest();
    const now = Date.now();
    const authority = await createAuthority('a', { now });
    const made = await Promise.all(
      ['r1', 'r2', 'r3'].map((name) => issueCertificate({ authority, subject: subjectOf('robot', name), now })),
    );
    writeFileSync(join(folder, 'ca.pem'), authority.certificate.toString());
    const states = (list: string) => {
      writeFileSync(join(folder, 'crl.pem'), list);
      return made.map(({ certificate }) => {
        writeFileSync(join(folder, 'x.pem'), certificate.toString());
        const words = [
          '-x509_strict',
          '-crl_check',
          '-CAfile',
          join(folder, 'ca.pem'),
          '-CRLfile',
          join(folder, 'crl.pem'),
        ];
        const said = openssl('verify', ...words, join(folder, 'x.pem'));
        return said.includes('certificate revoked') ? 'revoked' : said.includes('x.pem: OK') ? 'good' : said;
      });
    };
    const [one, two] = made;
    if (!one || !two) throw new Error('not made');
    let list = await revocationList({ authority, now });
    expect(states(list)).toEqual(['good', 'good', 'good']);
    list = await revocationList({ authority, now: now + 1, list, certificates: [one.certificate] });
    expect(states(list)).toEqual(['revoked', 'good', 'good']);
    list = await revocationList({ authority, now: now + 2, list, certificates: [two.certificate, one.certificate] });
    expect(states(list)).toEqual(['revoked', 'revoked', 'good']);

    const stranger = await createAuthority('b', { now });
    await expect(revocationList({ authority: stranger, now, certificates: [one.certificate] })).rejects.toThrow(
      invalid,
    );
    await expect(revocationList({ authority: stranger, now, list })).rejects.toThrow(invalid);
    await expect(revocationList({ authority, now, list: 'nonsense' })).rejects.toThrow(invalid);
    await expect(revocationList({ authority, now, certificates: [authority.certificate] })).rejects.toThrow(invalid);
  });

  it('is of keys that Node and OpenSSL read', async () => {
    const authority = await createAuthority('a', { now: NOW });
    const { certificate, key } = await issue(authority, 'trainer');
    expect(new X509Certificate(certificate.toString()).fingerprint256).toBe(certificate.fingerprint256);
    expect(createPrivateKey(key.export({ type: 'pkcs8', format: 'pem' })).asymmetricKeyDetails?.namedCurve).toBe(
      'prime256v1',
    );
  });
});
