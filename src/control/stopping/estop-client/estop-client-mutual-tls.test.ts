import type { AddressInfo } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { Aedes } from 'aedes';
import { connectAsync } from 'mqtt';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Credentials, createAuthority, issueCertificate } from '../../../keys/certificates/authority.ts';
import { type CertificateRole, subjectOf } from '../../../keys/certificates/certificate-role.ts';
import { DAY } from '../../../keys/certificates/describe-certificate.ts';
import { until } from '../../../messages/brokers.testing.ts';
import { estopClientRig } from './estop-client.testing.ts';
import type { EstopClient } from './estop-client.ts';

const now = Date.now();

async function pems(authority: Credentials, role: CertificateRole, name: string, at = now, days?: number) {
  const hosts = role === 'broker' ? ['127.0.0.1'] : [];
  const validity = { now: at, ...(days !== undefined && { days }) };
  const { certificate, key } = await issueCertificate({
    authority,
    subject: subjectOf(role, name),
    hosts,
    ...validity,
  });
  return { cert: certificate.toString(), key: String(key.export({ type: 'pkcs8', format: 'pem' })) };
}

describe('the e-stop client at a broker that wants certificates', () => {
  let authority: Credentials;
  let ca = '';
  let aedes: Aedes;
  let server: Server;
  let url = '';
  const sockets = new Set<TLSSocket>();
  let client: EstopClient | undefined;

  beforeAll(async () => {
    authority = await createAuthority('a', { now: now - 100 * DAY });
    ca = authority.certificate.toString();
    aedes = await Aedes.createBroker();
    const own = await pems(authority, 'broker', 'broker');
    server = createServer({ ...own, ca, requestCert: true, rejectUnauthorized: true }, (socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      aedes.handle(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `mqtts://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterAll(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    await new Promise<void>((resolve) => aedes.close(resolve));
  });

  afterEach(() => client?.stop());

  const problemWith = async (files: { ca?: string; cert?: string; key?: string }, at = url): Promise<string> => {
    const rig = estopClientRig({ url: at, ...files });
    client = rig.client;
    client.start();
    await until(() => rig.client.state === 'waiting');
    client.stop();
    return rig.client.problem;
  };

  it('shows its own and stops', async () => {
    const rig = estopClientRig({ url, ca, ...(await pems(authority, 'robot', 'r1')) });
    client = rig.client;
    client.start();
    await until(() => rig.client.state === 'connected');
    const sender = await connectAsync(url, { protocolVersion: 5, ca, ...(await pems(authority, 'operator', 'anna')) });
    await sender.publishAsync('h2o/v1/r1/estop', 'stop', { qos: 1 });
    await until(() => rig.stops.length === 1);
    sender.end(true);
  });

  it('says in words why it is not let in, and goes on trying', async () => {
    const stranger = await createAuthority('b', { now: now - 100 * DAY });
    // Node's server says no more than that; what mosquitto says is in test/gateway/tls-refusals.test.ts.
    const shut = /the broker closed the connection before it let us in|the connection was cut/;
    expect(await problemWith({ ca })).toBe('the broker wants a certificate, and none was shown');
    expect(await problemWith({ ca, ...(await pems(stranger, 'robot', 'r1')) })).toMatch(shut);
    expect(await problemWith({ ca, ...(await pems(authority, 'robot', 'r1', now - 50 * DAY, 20)) })).toMatch(shut);
    expect(await problemWith({ ca: stranger.certificate.toString() })).toMatch(/authority that is not trusted here/);
    expect(await problemWith({ ca }, url.replace('127.0.0.1', 'localhost'))).toMatch(
      /not for localhost but for 127\.0\.0\.1/,
    );
  });
});
