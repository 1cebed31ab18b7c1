import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { Aedes } from 'aedes';
import { connectAsync } from 'mqtt';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../../messages/brokers.testing.ts';
import { BYTES_PER_TURN } from './broker-socket.ts';
import { estopClientRig } from './estop-client.testing.ts';
import type { EstopClient } from './estop-client.ts';

/** A certificate for 127.0.0.1 that nobody else has signed, or why there is none. */
function certificate(): { key: Buffer; cert: Buffer; missing: string } {
  const folder = mkdtempSync(join(tmpdir(), 'h2o-tls-'));
  const key = join(folder, 'key.pem');
  const cert = join(folder, 'cert.pem');
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  try {
    execFileSync('openssl', ['req', '-x509', ...kind, ...subject, '-keyout', key, '-out', cert], { stdio: 'pipe' });
    return { key: readFileSync(key), cert: readFileSync(cert), missing: '' };
  } catch {
    return { key: Buffer.alloc(0), cert: Buffer.alloc(0), missing: 'openssl is not installed' };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const { key, cert, missing } = certificate();

describe.skipIf(missing !== '')(`the e-stop client over TLS${missing && ` (skipped: ${missing})`}`, () => {
  let aedes: Aedes;
  let server: Server;
  let url = '';
  const sockets = new Set<TLSSocket>();
  let client: EstopClient | undefined;

  beforeAll(async () => {
    aedes = await Aedes.createBroker();
    server = createServer({ key, cert }, (socket) => {
      sockets.add(socket);
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

  it('stops, and reads no more in a turn than without', async () => {
    const rig = estopClientRig({ url, ca: cert });
    client = rig.client;
    client.start();
    await until(() => rig.client.state === 'connected');
    const sender = await connectAsync(url, { protocolVersion: 5, ca: cert });
    await sender.publishAsync('h2o/v1/r1/estop', Buffer.alloc(60_000), { qos: 1 });
    await sender.publishAsync('h2o/v1/r1/estop', 'again', { qos: 1 });
    await until(() => rig.stops.length === 2);
    expect(rig.client.counters.mostBytesPerTurn).toBeLessThanOrEqual(BYTES_PER_TURN);
    sender.end(true);
  });

  it('does not talk to a broker whose certificate it does not trust', async () => {
    const rig = estopClientRig({ url });
    client = rig.client;
    client.start();
    await until(() => rig.client.state === 'waiting');
    expect(rig.client.problem).toMatch(/self-signed|certificate/);
  });

  it('says so at the start when the certificates cannot be read', () => {
    const rig = estopClientRig({ url, ca: 'not a certificate', key: 'nor a key', cert: 'nor this' });
    expect(() => rig.client.start()).toThrow(expect.objectContaining({ codeName: 'configInvalid' }));
  });
});
