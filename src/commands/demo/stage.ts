import { type ChildProcess, spawn } from 'node:child_process';
import type { KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { EdgeError } from '../../errors.ts';
import { ControlClient } from '../../gateway/control-client.ts';
import { generateKeyPair, writePrivateKey } from '../../keys/key-pair.ts';
import { formatTrustFile, readTrustFile, trustEntry } from '../../keys/trust-store.ts';
import { loadConfig } from '../../messages/config.ts';
import { modelsDirectory } from '../../robot/robot.ts';
import { BrokerClient } from '../broker-client.ts';
import { confirmReset } from '../confirm-reset.ts';
import { CONFIG_NAME, OPERATOR_KEY_NAME } from '../context.ts';
import { exitOf, realTimePrefix, startControl, startGateway } from '../run.ts';
import { SimulatorClient } from '../simulator-client.ts';
import { type DemoPolicies, demoPolicies } from './demo-policies.ts';
import { type EmbeddedBroker, embedBroker } from './embedded-broker.ts';

const cli = fileURLToPath(new URL('../../h2o-edge.cjs', import.meta.url));

/** Name of the demo's robot. */
export const ROBOT = 'demo';

/** SCHED_FIFO priorities of the demo: the simulator stands for hardware, which nothing preempts; control comes next. */
const SIMULATOR_PRIORITY = 60;
const CONTROL_PRIORITY = 50;

/** A machine that is busy with something else must not throw the demo's robot over [ms]. */
const STALL_PATIENCE = 500;

export interface StageOptions {
  readonly pace: 'real' | 'lockstep';
  /** for `robot-sim`, beside pace and sockets */
  readonly simulatorWords: readonly string[];
  /** an MQTT broker that runs already; default: one inside the demo */
  readonly broker?: string | undefined;
  /** rows go to this process in place of the gateway, and there is no broker */
  readonly takesRows?: boolean;
  /** default: those that ship */
  readonly policies?: DemoPolicies;
}

/** The demo's processes in a folder of their own: a simulated robot, its control and gateway, and this one as operator. */
export class Stage {
  readonly folder: string;
  readonly operator: KeyObject;
  readonly simulator: SimulatorClient;
  /** control's own socket */
  readonly control: ControlClient;
  /** the way over the broker; undefined if rows are taken */
  readonly remote: BrokerClient | undefined;
  readonly brokerUrl: string;
  readonly modes: DemoPolicies['modes'];
  /** rejects when one of the processes ends although nobody asked it to */
  readonly broken: Promise<never>;
  readonly #cast: Cast;
  #closing = false;

  private constructor(cast: Cast, operator: KeyObject, clients: Clients, modes: DemoPolicies['modes']) {
    this.folder = cast.folder;
    this.operator = operator;
    this.simulator = clients.simulator;
    this.control = clients.control;
    this.remote = clients.remote;
    this.brokerUrl = clients.brokerUrl;
    this.modes = modes;
    this.#cast = cast;
    this.broken = Promise.race(cast.children.map(exitOf)).then(async (how) => {
      if (this.#closing) return await new Promise<never>(() => {});
      throw new EdgeError('scenarioFailed', `a process of the demo ended (${how})`, 'see its complaint above');
    });
    this.broken.catch(() => {});
  }

  /** @throws EdgeError what the processes complained of is on stderr */
  static async set(options: StageOptions): Promise<Stage> {
    const cast = new Cast();
    try {
      const { folder } = cast;
      const real = options.pace === 'real';
      const link = join(folder, 'port');
      const socket = join(folder, 'sim.sock');
      const pace = ['--pace', options.pace, ...(real ? ['--patience', String(STALL_PATIENCE)] : [])];
      const words = ['robot-sim', ...pace, '--link', link, '--socket', socket, ...options.simulatorWords];
      const simulator = cast.add(spawnUnderPriority(real ? SIMULATOR_PRIORITY : 0, [cli, ...words]));
      await firstLine(simulator);

      if (!options.takesRows && options.broker === undefined) cast.broker = await embedBroker();
      const brokerUrl = options.takesRows ? '' : (options.broker ?? cast.broker?.url ?? '');
      const priority = real ? CONTROL_PRIORITY : 0;
      const policies = options.policies ?? (await demoPolicies());
      const operator = furnish(folder, link, priority, brokerUrl, { policies });
      const config = join(folder, CONFIG_NAME);
      const control = await connectOnceUp(
        join(folder, 'run', 'control.sock'),
        cast.add(startControl(config, priority)),
      );
      if (!options.takesRows) cast.gateway = cast.add(startGateway(config));
      const remote = options.takesRows ? undefined : await robotOverBroker(brokerUrl);
      const clients = { simulator: await SimulatorClient.connect(socket), control, remote, brokerUrl };
      return new Stage(cast, operator, clients, policies.modes);
    } catch (error) {
      await cast.dismiss();
      throw error;
    }
  }

  /**
   * Ends the simulated robot, lets the gateway write what is left, and has another process read it all back from disk.
   * @returns rows that control made, and rows that are on disk, whole
   */
  async readBack(): Promise<{ made: number; onDisk: number; gaps: number; corrupt: number }> {
    this.#closing = true;
    await this.simulator.request('quit');
    let made = 0;
    for (let look = 0; look < 200; look++) {
      const { counters } = await this.control.status();
      made = counters['rows.made'] ?? 0;
      if (made === counters['rows.acknowledged']) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const { gateway, folder } = this.#cast;
    if (gateway) await end(gateway);
    const recordings = join(folder, 'state', 'recordings');
    const verify = spawn(process.execPath, [cli, 'dataset', 'verify', recordings, '--json'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const said = (await text(verify.stdout)).trim().split('\n').at(-1) ?? '{}';
    const { rows = 0, gaps = 0, corrupt = 0 } = JSON.parse(said);
    return { made, onDisk: rows, gaps, corrupt };
  }

  /** The operator of the demo stands beside the robot: what is said there is said here. */
  async confirmReset(): Promise<void> {
    await confirmReset(loadConfig(join(this.folder, CONFIG_NAME)));
  }

  /** Ends every process and removes the folder. */
  async strike(): Promise<void> {
    this.#closing = true;
    this.remote?.close();
    this.control.close();
    this.simulator.close();
    await this.#cast.dismiss();
  }
}

interface Clients {
  readonly simulator: SimulatorClient;
  readonly control: ControlClient;
  readonly remote: BrokerClient | undefined;
  readonly brokerUrl: string;
}

/** Everything that has to be ended. */
class Cast {
  readonly folder = mkdtempSync(join(tmpdir(), 'h2o-edge-'));
  readonly children: ChildProcess[] = [];
  broker: EmbeddedBroker | undefined;
  gateway: ChildProcess | undefined;

  add(child: ChildProcess): ChildProcess {
    this.children.push(child);
    return child;
  }

  async dismiss(): Promise<void> {
    await Promise.all(this.children.map(end));
    await this.broker?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export interface Furniture {
  /** default: those that ship */
  readonly policies?: DemoPolicies;
  /** keys of the configuration that are to be other than the demo's */
  readonly config?: Readonly<Record<string, unknown>>;
}

/** Configuration, keys and policies of a robot that trusts this demo's operator and the demo key of the shipped bundles. */
export function furnish(
  folder: string,
  port: string,
  priority: number,
  brokerUrl: string,
  { policies, config: more = {} }: Furniture = {},
): KeyObject {
  const { privateKey, publicKey } = generateKeyPair();
  writePrivateKey(join(folder, OPERATOR_KEY_NAME), privateKey);
  const trusted = [
    ...(policies?.trusted ?? readTrustFile(join(modelsDirectory, 'keys', 'demo-trust.yaml'))),
    trustEntry(publicKey, 'operator', 'the operator of this demo'),
  ];
  writeFileSync(join(folder, 'trust.yaml'), formatTrustFile(trusted));
  const own = join(folder, 'policies');
  for (const { id, folder: bundle } of policies?.bundles ?? []) cpSync(bundle, join(own, id), { recursive: true });
  const config = {
    name: ROBOT,
    serial: { path: port },
    broker: { url: brokerUrl },
    // The port may be a real robot's, and whoever stops that one must not stop this one.
    http: { port: 0 },
    policies: [join(modelsDirectory, 'policies'), ...(existsSync(own) ? [own] : [])],
    realTimePriority: priority,
    // Simulated time waits for a machine that stalls, see STALL_PATIENCE; a real robot does not.
    delayCheck: 'warn',
    policyLatencyBudget: 10,
    logLevel: 'error',
    ...more,
  };
  // JSON is YAML.
  writeFileSync(join(folder, CONFIG_NAME), JSON.stringify(config, null, 2));
  return privateKey;
}

export function spawnUnderPriority(
  priority: number,
  words: readonly string[],
  options: { readonly detached?: boolean } = {},
): ChildProcess {
  const [program = process.execPath, ...rest] = [...realTimePrefix(priority), process.execPath, ...words];
  return spawn(program, rest, { stdio: ['ignore', 'pipe', 'inherit'], ...options });
}

export async function firstLine(child: ChildProcess): Promise<void> {
  const { stdout } = child;
  if (!stdout) throw new EdgeError('scenarioFailed', 'the simulator has no output', 'report this');
  const ended = exitOf(child).then((how) => {
    throw new EdgeError(
      'scenarioFailed',
      `the simulator ended before it was ready (${how})`,
      'see its complaint above',
    );
  });
  await Promise.race([once(createInterface({ input: stdout }), 'line'), ended]);
}

/** Loading and measuring the policies takes control a moment before it listens. */
export async function connectOnceUp(path: string, control: ChildProcess): Promise<ControlClient> {
  for (;;) {
    try {
      return await ControlClient.connect(path);
    } catch (error) {
      if (control.exitCode !== null || control.signalCode !== null) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** The robot is on the broker a moment after its gateway is up. */
async function robotOverBroker(url: string): Promise<BrokerClient> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await BrokerClient.connect({ url, robot: ROBOT });
    } catch (error) {
      if (attempt >= 20) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

/** Asks, and after three seconds no longer asks. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = exitOf(child);
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), 3000);
  await ended;
  clearTimeout(force);
}
