import { chmodSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { Command } from 'commander';
import { describe, expect, it, vi } from 'vitest';
import { complainAbout } from '../../src/commands/output.ts';
import { registerStatus } from '../../src/commands/status.ts';
import { DAY } from '../../src/keys/certificates/describe-certificate.ts';
import { brokerTrouble } from '../../src/messages/broker-trouble.ts';
import { h2oEdge, temporaryFolder, until } from '../harness.ts';
import { freePort } from '../loopback.ts';
import { noMosquitto } from './mosquitto.ts';
import { type ClientFiles, oldAuthority, SecureMosquitto } from './secure-mosquitto.ts';

/** What `h2o-edge status` would write; in this process, since there are so many of them. */
async function complaintOf(words: readonly string[]): Promise<string> {
  const program = new Command().exitOverride();
  registerStatus(program);
  const written: string[] = [];
  const write = vi.spyOn(process.stderr, 'write').mockImplementation((text) => written.push(String(text)) > 0);
  try {
    await program.parseAsync(['status', ...words], { from: 'user' });
  } catch (error) {
    complainAbout(error);
  } finally {
    write.mockRestore();
  }
  return written.join('');
}

describe.skipIf(noMosquitto)('h2o-edge status over TLS says what is wrong (needs mosquitto)', () => {
  it('with certificates, and with the files that they are in', async () => {
    const broker = await SecureMosquitto.start();
    const other = await oldAuthority('somebody else');
    const now = Date.now();
    const anna = await broker.issue('operator', 'anna');
    const bert = await broker.issue('operator', 'bert');
    const stranger = await broker.issue('operator', 'eve', { authority: other });
    const old = await broker.issue('operator', 'old', { now: now - 50 * DAY, days: 20 });
    const early = await broker.issue('operator', 'early', { now: now + 50 * DAY, days: 20 });
    const soon = await broker.issue('operator', 'soon', { days: 20 });
    const server = await broker.issue('broker', 'second-broker');
    const folder = temporaryFolder();
    const foreignCa = join(folder, 'foreign-ca.pem');
    writeFileSync(foreignCa, other.certificate.toString());
    const open = join(folder, 'open.key.pem');
    copyFileSync(anna.keyFile, open);
    chmodSync(open, 0o644);
    const notes = join(folder, 'notes.pem');
    writeFileSync(notes, 'remember the milk\n');

    const { url, stopPort, port } = broker;
    const { caFile } = anna;
    const cases: Array<[what: string, url: string, files: Partial<ClientFiles>, complaint: RegExp]> = [
      ['no certificate', url, { caFile }, /wants a certificate, and none was shown.*keys issue.*notRunning/s],
      [
        'of another authority',
        url,
        stranger,
        /refuses our certificate: it comes from an authority that it does not know/,
      ],
      ['expired', url, old, /our certificate has expired on .*keys renew.*certificateInvalid/s],
      ['not yet valid', url, early, /our certificate is not valid before .*clock.*certificateInvalid/s],
      ['of a broker', url, server, /second-broker\.pem is a certificate for a broker/],
      [
        'an authority that is not that of the broker',
        url,
        { ...anna, caFile: foreignCa },
        /authority that is not trusted here.*ca\.pem/s,
      ],
      ['no authority', url, { certFile: anna.certFile }, /authority that is not trusted here/],
      [
        'another host',
        `mqtts://localhost:${port}`,
        anna,
        /certificate is not for localhost but for 127\.0\.0\.1.*--host localhost/s,
      ],
      [
        'the key of another',
        url,
        { ...anna, keyFile: bert.keyFile },
        /bert\.key\.pem does not belong to the certificate .*anna\.pem/,
      ],
      ['a key that others may read', url, { ...anna, keyFile: open }, /open to others \(mode 0644\).*chmod 600/s],
      [
        'no such key',
        url,
        { ...anna, keyFile: join(folder, 'none') },
        /cannot read the private key .*none.*fileUnreadable/s,
      ],
      [
        'no such certificate',
        url,
        { caFile, certFile: join(folder, 'none.pem') },
        /cannot read the certificate .*none\.pem/,
      ],
      [
        'no such authority',
        url,
        { ...anna, caFile: join(folder, 'none.pem') },
        /cannot read the certificate of the broker's authority/,
      ],
      ['a certificate that is none', url, { ...anna, certFile: notes }, /notes\.pem holds no certificate/],
      ['a key for a certificate', url, { ...anna, certFile: anna.keyFile }, /it holds a private key/],
      ['a certificate for a key', url, { ...anna, keyFile: anna.certFile }, /open to others|holds no private key/],
      ['a certificate without TLS', `mqtt://127.0.0.1:${stopPort}`, anna, /no use without TLS.*mqtts:\/\//s],
      ['TLS where there is none', `mqtts://127.0.0.1:${stopPort}`, anna, /the connection was cut.*TLS port/s],
      ['no TLS where there is', `mqtt://127.0.0.1:${port}`, {}, /the connection was cut.*mqtts:\/\//s],
      ['nobody there', `mqtts://127.0.0.1:${await freePort()}`, anna, /does not answer: .*ECONNREFUSED/],
      // Let in, and told of the robot; with a word about what is coming.
      ['soon to expire', url, soon, /our certificate expires in 1\d days.*robot-a is offline/s],
      ['a good one', url, anna, /^h2o-edge: robot-a is offline/],
    ];
    for (const [what, address, { caFile: ca, certFile, keyFile }, complaint] of cases) {
      const words = ['--broker', address, '--robot', 'robot-a'];
      if (ca !== undefined) words.push('--ca-file', ca);
      if (certFile !== undefined) words.push('--cert-file', certFile);
      if (keyFile !== undefined) words.push('--cert-key-file', keyFile);
      const said = await complaintOf(words);
      expect(said, what).toMatch(complaint);
      expect(said, what).toMatch(/ {2}→ .+\[E\d+ \w+\]/);
      expect(said, what).not.toMatch(/SSL routines|^ {4}at /m);
    }

    // As a process, once: it fails, and says nothing else.
    const { code, stdout, stderr } = await h2oEdge(
      ['status', '--broker', url, '--robot', 'robot-a', '--cert-file', stranger.certFile, '--ca-file', caFile],
      folder,
    );
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^h2o-edge: .*authority that it does not know\n {2}→ .+\[E400 notRunning\]\n$/);
  });

  it('lets nobody in whose certificate was revoked, from the next reload on', async () => {
    const broker = await SecureMosquitto.start();
    const anna = await broker.issue('operator', 'anna');
    const bert = await broker.issue('operator', 'bert');
    const lostLaptop = await broker.client(anna);
    expect(lostLaptop.connected).toBe(true);
    await broker.trust(broker.authority, [anna]);
    broker.reload();
    await until('the broker has read the list', async () => {
      try {
        (await broker.client(anna)).end(true);
        return false;
      } catch (error) {
        expect(brokerTrouble(error, { url: broker.url, cert: anna.certFile }).problem).toMatch(/was revoked/);
        return true;
      }
    });
    expect((await broker.client(bert)).connected).toBe(true);
  });

  it('speaks nothing older than TLS 1.2', async () => {
    const broker = await SecureMosquitto.start();
    const { caFile: _, ...files } = await broker.issue('operator', 'anna');
    const version = (maxVersion: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3') =>
      new Promise<string>((resolve) => {
        const socket = connect({
          host: '127.0.0.1',
          port: broker.port,
          ca: broker.authority.certificate.toString(),
          cert: readFileSync(files.certFile),
          key: readFileSync(files.keyFile),
          minVersion: 'TLSv1',
          maxVersion,
          // OpenSSL offers old versions only when it is told not to mind.
          ciphers: 'DEFAULT:@SECLEVEL=0',
        });
        socket.once('secureConnect', () => {
          resolve(socket.getProtocol() ?? '');
          socket.destroy();
        });
        socket.once('error', (error) => resolve(`refused: ${error.message}`));
      });
    expect(await version('TLSv1.1')).toMatch(/^refused: .*alert protocol version/);
    expect(await version('TLSv1.2')).toBe('TLSv1.2');
    expect(await version('TLSv1.3')).toBe('TLSv1.3');
  });
});
