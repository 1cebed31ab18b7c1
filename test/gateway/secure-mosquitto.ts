import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { onTestFailed, onTestFinished } from 'vitest';
import { type Credentials, createAuthority, issueCertificate } from '../../src/keys/certificates/authority.ts';
import { keyFileOf, readCertificate } from '../../src/keys/certificates/certificate-files.ts';
import { type CertificateRole, subjectOf } from '../../src/keys/certificates/certificate-role.ts';
import { DAY } from '../../src/keys/certificates/describe-certificate.ts';
import { revocationList } from '../../src/keys/certificates/revocation.ts';
import { writeCredentials } from '../../src/keys/certificates/write-certificate.ts';
import { endProcess, temporaryFolder, until } from '../harness.ts';
import { freePort } from '../loopback.ts';

/** The configuration that ships. */
export const SHIPPED = fileURLToPath(new URL('../../systemd/mosquitto', import.meta.url));
const ANYONE_MAY_STOP = '20-h2o-edge-anyone-may-stop.conf';

/** Files of a client, as configuration and command line name them. */
export interface ClientFiles {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}

export interface IssueOptions {
  /** another name than the first for a certificate of the same name */
  readonly file?: string;
  readonly authority?: Credentials;
  /** when it is made [ms since 1970] */
  readonly now?: number;
  readonly days?: number;
}

/** An authority that has been there for a while, so that it could have issued what has expired since. */
export const oldAuthority = (name = 'authority of this test') => createAuthority(name, { now: Date.now() - 200 * DAY });

/**
 * A real broker with the configuration that ships, as Debian's own mosquitto.conf would include it, on loopback ports, and
 * the authority whose certificates it takes. It ends with the test.
 */
export class SecureMosquitto {
  readonly authority: Credentials;
  readonly folder: string;
  readonly port: number;
  readonly stopPort: number;
  log = '';
  #process: ChildProcess | undefined;

  private constructor(authority: Credentials, folder: string, port: number, stopPort: number) {
    this.authority = authority;
    this.folder = folder;
    this.port = port;
    this.stopPort = stopPort;
  }

  static async start({ anyoneMayStop = true }: { anyoneMayStop?: boolean } = {}): Promise<SecureMosquitto> {
    const authority = await oldAuthority();
    const broker = new SecureMosquitto(authority, temporaryFolder(), await freePort(), await freePort());
    await broker.#furnish();
    if (!anyoneMayStop) rmSync(join(broker.folder, 'conf.d', ANYONE_MAY_STOP));
    await broker.start();
    return broker;
  }

  get url(): string {
    return `mqtts://127.0.0.1:${this.port}`;
  }

  /** Where anybody may stop. */
  get stopUrl(): string {
    return `mqtt://127.0.0.1:${this.stopPort}`;
  }

  /** Whose certificates the broker takes, and which of them no more, from its next start or `reload` on. */
  async trust(authority: Credentials, revoked: readonly ClientFiles[] = []): Promise<void> {
    const certificates = revoked.map(({ certFile }) => readCertificate(certFile));
    const list = await revocationList({ authority, certificates, now: Date.now() });
    writeFileSync(join(this.folder, 'h2o-edge', 'ca.pem'), authority.certificate.toString());
    writeFileSync(join(this.folder, 'h2o-edge', 'crl.pem'), list);
  }

  /** Issues a certificate, beside one of the authority that the broker's certificate comes from. */
  async issue(role: CertificateRole, name: string, options: IssueOptions = {}): Promise<ClientFiles> {
    const { file = name, authority = this.authority, now = Date.now(), days } = options;
    const certFile = join(this.folder, 'issued', `${file}.pem`);
    const subject = subjectOf(role, name);
    const hosts = role === 'broker' ? ['127.0.0.1'] : [];
    writeCredentials(
      certFile,
      await issueCertificate({ authority, subject, hosts, now, ...(days !== undefined && { days }) }),
    );
    return { caFile: join(this.folder, 'broker-ca.pem'), certFile, keyFile: keyFileOf(certFile) };
  }

  /** A client with such a certificate; without one, of the port where anybody may stop. */
  async client(files?: ClientFiles, options: IClientOptions = {}): Promise<MqttClient> {
    const tls = files && {
      ca: readFileSync(files.caFile),
      cert: readFileSync(files.certFile),
      key: readFileSync(files.keyFile),
    };
    const url = files ? this.url : this.stopUrl;
    // One attempt: whoever is turned away is told so.
    const client = await connectAsync(url, { protocolVersion: 5, reconnectPeriod: 0, ...tls, ...options }, false);
    client.on('error', () => {});
    onTestFinished(() => void client.end(true));
    return client;
  }

  async start(): Promise<void> {
    const child = spawn('mosquitto', ['-c', join(this.folder, 'mosquitto.conf')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#process = child;
    onTestFinished(() => endProcess(child));
    onTestFailed(() => {
      process.stderr.write(this.log);
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.log += text;
    });
    await until('the broker listens', () => {
      if (child.exitCode !== null) throw new Error(`mosquitto ended with code ${child.exitCode}: ${this.log}`);
      return listens(this.port);
    });
  }

  /** As `systemctl reload mosquitto`. */
  reload(): void {
    this.#process?.kill('SIGHUP');
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** As `systemctl stop mosquitto`: what it keeps goes to disk. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  async #furnish(): Promise<void> {
    const { folder } = this;
    mkdirSync(join(folder, 'lib'));
    installShipped(folder, { 8883: this.port, 1883: this.stopPort });
    await this.trust(this.authority);
    writeFileSync(join(folder, 'broker-ca.pem'), this.authority.certificate.toString());
    const { certFile, keyFile } = await this.issue('broker', 'broker');
    cpSync(certFile, join(folder, 'h2o-edge', 'broker.pem'));
    cpSync(keyFile, join(folder, 'h2o-edge', 'broker.key.pem'));
    writeFileSync(join(folder, 'mosquitto.conf'), debianConfiguration(folder));
  }
}

/** The part of Debian's mosquitto.conf that matters here. A broker that root starts would not find its files else. */
export const debianConfiguration = (folder: string) =>
  ['persistence true', `persistence_location ${folder}/lib/`, 'user root', `include_dir ${folder}/conf.d`, ''].join(
    '\n',
  );

/** Puts the files that ship where they belong, below `folder` in place of /etc/mosquitto and on other ports. */
export function installShipped(folder: string, ports: Readonly<Record<number, number>>): void {
  mkdirSync(join(folder, 'conf.d'), { recursive: true });
  mkdirSync(join(folder, 'h2o-edge'), { recursive: true });
  for (const name of readdirSync(SHIPPED)) {
    const text = readFileSync(join(SHIPPED, name), 'utf8');
    if (name.endsWith('.acl')) writeFileSync(join(folder, 'h2o-edge', name), text, { mode: 0o600 });
    else if (name.endsWith('.conf')) writeFileSync(join(folder, 'conf.d', name), relocated(text, folder, ports));
  }
}

/** A configuration that ships, for loopback and other ports; nothing else is changed. */
export function relocated(text: string, folder: string, ports: Readonly<Record<number, number>>): string {
  return text
    .replaceAll('/etc/mosquitto/h2o-edge', `${folder}/h2o-edge`)
    .replace(/^listener (\d+)$/gm, (_, port: string) => `listener ${ports[Number(port)]} 127.0.0.1`);
}

const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
