import { type ChildProcess, spawn } from 'node:child_process';
import type { KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { EdgeError } from '../../errors.ts';
import { generateKeyPair, writePrivateKey } from '../../keys/key-pair.ts';
import { formatTrustFile, readTrustFile, trustEntry } from '../../keys/trust-store.ts';
import { modelsDirectory } from '../../robot/robot.ts';
import { CONFIG_NAME, OPERATOR_KEY_NAME } from '../context.ts';
import { ControlClient } from '../control-client.ts';
import { exitOf, realTimePrefix, startControl } from '../run.ts';
import { SimulatorClient } from '../simulator-client.ts';

const cli = fileURLToPath(new URL('../../h2o-edge.cjs', import.meta.url));

/** SCHED_FIFO priorities of the demo: the simulator stands for hardware, which nothing preempts; control comes next. */
const SIMULATOR_PRIORITY = 60;
const CONTROL_PRIORITY = 50;

export interface StageOptions {
  readonly pace: 'real' | 'lockstep';
  /** for `robot-sim`, beside pace and sockets */
  readonly simulatorWords: readonly string[];
}

/** The demo's processes in a folder of their own: a simulated robot, its control, and this one as its operator. */
export class Stage {
  readonly operator: KeyObject;
  readonly folder: string;
  readonly simulator: SimulatorClient;
  readonly control: ControlClient;
  /** resolves when one of the processes ends although nobody asked it to */
  readonly broken: Promise<string>;
  readonly #children: readonly ChildProcess[];

  private constructor(
    folder: string,
    operator: KeyObject,
    simulator: SimulatorClient,
    control: ControlClient,
    children: readonly ChildProcess[],
  ) {
    this.folder = folder;
    this.operator = operator;
    this.simulator = simulator;
    this.control = control;
    this.#children = children;
    this.broken = Promise.race(children.map(exitOf));
  }

  /** @throws EdgeError what the processes complained of is on stderr */
  static async set({ pace, simulatorWords }: StageOptions): Promise<Stage> {
    const folder = mkdtempSync(join(tmpdir(), 'h2o-edge-'));
    const children: ChildProcess[] = [];
    try {
      const link = join(folder, 'port');
      const socket = join(folder, 'sim.sock');
      const priority = pace === 'real' ? SIMULATOR_PRIORITY : 0;
      const words = ['robot-sim', '--pace', pace, '--link', link, '--socket', socket, ...simulatorWords];
      const sim = spawnUnderPriority(priority, [cli, ...words]);
      children.push(sim);
      await firstLine(sim);

      const operator = furnish(folder, link, pace === 'real' ? CONTROL_PRIORITY : 0);
      const control = startControl(join(folder, CONFIG_NAME), pace === 'real' ? CONTROL_PRIORITY : 0);
      children.push(control);
      const client = await connectOnceUp(join(folder, 'run', 'control.sock'), control);
      return new Stage(folder, operator, await SimulatorClient.connect(socket), client, children);
    } catch (error) {
      await endAll(children);
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** Ends every process and removes the folder. */
  async strike(): Promise<void> {
    this.control.close();
    this.simulator.close();
    await endAll(this.#children);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Configuration, keys and policies of a robot that trusts this demo's operator and the demo key of the shipped bundles. */
function furnish(folder: string, port: string, priority: number): KeyObject {
  const { privateKey, publicKey } = generateKeyPair();
  writePrivateKey(join(folder, OPERATOR_KEY_NAME), privateKey);
  const trusted = [
    ...readTrustFile(join(modelsDirectory, 'keys', 'demo-trust.yaml')),
    trustEntry(publicKey, 'operator', 'the operator of this demo'),
  ];
  writeFileSync(join(folder, 'trust.yaml'), formatTrustFile(trusted));
  const config = {
    name: 'demo',
    serial: { path: port },
    policies: [join(modelsDirectory, 'policies')],
    realTimePriority: priority,
    logLevel: 'warn',
  };
  // JSON is YAML.
  writeFileSync(join(folder, CONFIG_NAME), JSON.stringify(config, null, 2));
  return privateKey;
}

function spawnUnderPriority(priority: number, words: readonly string[]): ChildProcess {
  const [program = process.execPath, ...rest] = [...realTimePrefix(priority), process.execPath, ...words];
  return spawn(program, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function firstLine(child: ChildProcess): Promise<string> {
  const { stdout } = child;
  if (!stdout) throw new EdgeError('scenarioFailed', 'the simulator has no output', 'report this');
  const line = once(createInterface({ input: stdout }), 'line').then(([text]) => String(text));
  const ended = exitOf(child).then((how) => {
    throw new EdgeError(
      'scenarioFailed',
      `the simulator ended before it was ready (${how})`,
      'see its complaint above',
    );
  });
  return await Promise.race([line, ended]);
}

/** Loading and measuring the policies takes control a moment before it listens. */
async function connectOnceUp(path: string, control: ChildProcess): Promise<ControlClient> {
  for (;;) {
    try {
      return await ControlClient.connect(path);
    } catch (error) {
      if (control.exitCode !== null || control.signalCode !== null) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** Asks, and after two seconds no longer asks. */
async function endAll(children: readonly ChildProcess[]): Promise<void> {
  await Promise.all(
    children.map(async (child) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = exitOf(child);
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), 2000);
      await ended;
      clearTimeout(force);
    }),
  );
}
