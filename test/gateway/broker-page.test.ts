import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { topic } from '../../src/messages/mqtt.ts';
import { CLI, endProcess, environmentOf, type Finished, temporaryFolder, until } from '../harness.ts';
import { freePort } from '../loopback.ts';
import { Listener } from './listener.ts';
import { noMosquitto } from './mosquitto.ts';
import { debianConfiguration, relocated } from './secure-mosquitto.ts';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
const PAGE = readFileSync(join(PROJECT, 'docs', 'broker.md'), 'utf8');

/** The commands of the page that do something with `what`, as they stand there. */
function commands(what: string): string {
  const blocks = [...PAGE.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block ?? '');
  const found = blocks.filter((block) => block.includes(what));
  expect(found, what).toHaveLength(1);
  return found[0] ?? '';
}

/** A machine on which the page's commands run as written, but for root, systemd, names and ports. */
class Machine {
  readonly folder = temporaryFolder();
  readonly etc = join(this.folder, 'etc');
  readonly #ports: Readonly<Record<number, number>>;
  #broker: ChildProcess | undefined;
  log = '';

  constructor(tls: number, stop: number) {
    this.#ports = { 8883: tls, 1883: stop };
    const bin = join(this.folder, 'bin');
    for (const path of [bin, this.etc, join(this.etc, 'lib')]) mkdirSync(path);
    const program = (name: string, text: string) =>
      writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    program('sudo', 'exec "$@"');
    program('systemctl', `echo "systemctl $*" >>"${this.folder}/systemctl"`);
    program('h2o-edge', `exec "${process.execPath}" "${CLI}" "$@"`);
    symlinkSync(join(PROJECT, 'systemd'), join(this.folder, 'systemd'));
    writeFileSync(join(this.etc, 'mosquitto.conf'), debianConfiguration(this.etc));
  }

  async run(script: string): Promise<Finished> {
    const here = script
      .replaceAll('broker.local:8883', `localhost:${this.#ports[8883]}`)
      .replaceAll('mosquitto_pub -h broker.local', `mosquitto_pub -p ${this.#ports[1883]} -h localhost`)
      .replaceAll('mqtt://broker.local', `mqtt://localhost:${this.#ports[1883]}`)
      .replaceAll('broker.local', 'localhost')
      .replaceAll('192.168.1.2', '127.0.0.1')
      .replaceAll('/etc/mosquitto', this.etc);
    const environment = {
      PATH: [join(this.folder, 'bin'), process.env.PATH].join(delimiter),
      MOSQUITTO_FOLDER: this.etc,
    };
    const child = spawn('sh', ['-euc', here], { cwd: this.folder, env: environmentOf(environment) });
    onTestFinished(() => endProcess(child));
    const output = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output.stderr += text;
    });
    const [code] = await once(child, 'close');
    await this.#systemd();
    return { code, ...output };
  }

  /** What systemd would do now. */
  async #systemd(): Promise<void> {
    const asked = join(this.folder, 'systemctl');
    const words = statSync(asked, { throwIfNoEntry: false }) ? readFileSync(asked, 'utf8') : '';
    writeFileSync(asked, '');
    const conf = join(this.etc, 'conf.d');
    for (const name of statSync(conf, { throwIfNoEntry: false }) ? readdirSync(conf) : []) {
      const path = join(conf, name);
      writeFileSync(path, relocated(readFileSync(path, 'utf8'), this.etc, this.#ports));
    }
    if (words.includes('reload mosquitto')) this.#broker?.kill('SIGHUP');
    if (words.includes('restart mosquitto')) await this.#restart();
  }

  async #restart(): Promise<void> {
    if (this.#broker) await endProcess(this.#broker);
    const child = spawn('mosquitto', ['-c', join(this.etc, 'mosquitto.conf')], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#broker = child;
    onTestFinished(() => endProcess(child));
    this.log = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.log += text;
    });
    await until('the broker runs', () => {
      if (child.exitCode !== null) throw new Error(`mosquitto ended: ${this.log}`);
      return /mosquitto version \S+ running/.test(this.log);
    });
  }
}

describe.skipIf(noMosquitto)('docs/broker.md (needs mosquitto)', () => {
  it('does what it says, command by command', async () => {
    const [tls, stop] = [await freePort(), await freePort()];
    const machine = new Machine(tls, stop);
    const fine = async (what: string) => {
      const finished = await machine.run(commands(what));
      expect(finished, finished.stderr).toMatchObject({ code: 0, stderr: '' });
      return finished.stdout;
    };

    expect(commands('keys authority').trim().split('\n')).toHaveLength(5);
    await fine('keys authority');
    for (const name of ['ca', 'broker', 'robot-1', 'anna']) {
      expect(statSync(join(machine.folder, 'tls', `${name}.key.pem`)).mode & 0o777, name).toBe(0o600);
    }
    const installed = readdirSync(join(machine.etc, 'h2o-edge')).sort();
    expect(installed).toEqual(['anyone.acl', 'broker.key.pem', 'broker.pem', 'ca.pem', 'certificate.acl', 'crl.pem']);
    expect(statSync(join(machine.etc, 'h2o-edge', 'broker.key.pem')).mode & 0o777).toBe(0o600);

    // Anna is let in; a robot there is none.
    const offline = await machine.run(commands('h2o-edge status --broker'));
    expect(offline.stderr).toMatch(/robot-1 is offline: it has never published/);

    // The stop button of everybody.
    const state = await Listener.to({ url: `mqtt://127.0.0.1:${stop}` }, 'robot-1');
    const stopped = await machine.run(commands('mosquitto_pub'));
    // No robot has confirmed it, and it says so.
    expect(stopped.stderr).toMatch(/NOT confirmed/);
    expect(state.client.connected).toBe(true);

    expect(await fine('keys inspect tls')).toMatch(/tls\/anna\.pem: operator anna, valid until /);
    await fine('keys revoke');
    await until('anna is not let in any more', async () => {
      const { stderr } = await machine.run(commands('h2o-edge status --broker'));
      return /our certificate: it was revoked/.test(stderr);
    });

    await fine('sudo rm');
    const closed = await machine.run(`mosquitto_pub -h broker.local -V 5 -q 1 -t ${topic('robot-1', 'estop')} -m stop`);
    expect(closed.stderr).toMatch(/refused/);
  });
});
