import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Measurement, SimulatorClient, type Truth } from '../../src/commands/simulator-client.ts';
import { EdgeError } from '../../src/errors.ts';
import { ControlClient } from '../../src/gateway/control-client.ts';
import type { Config } from '../../src/messages/config.ts';
import type { ArmedMode } from '../../src/messages/mode.ts';
import type { Status } from '../../src/messages/status.ts';
import { loadRobot } from '../../src/robot/robot.ts';
import { RobotSim } from '../../src/simulation/robot-sim.ts';
import { CommandJudge } from './command-judge.ts';
import { makeRobotFolder, type RobotFolder } from './robot-folder.ts';

const CLI = fileURLToPath(new URL('../../dist/h2o-edge.cjs', import.meta.url));
const TROUBLE = fileURLToPath(new URL('../fixtures/trouble.cjs', import.meta.url));

/** What never comes is an error and not a run that hangs; far above what a busy machine needs [ms]. */
const PATIENCE = 45_000;

export async function until<T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const deadline = performance.now() + PATIENCE;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (performance.now() > deadline) throw new Error(`never came true: ${what}`);
    await delay(2);
  }
}

export interface ScenarioOptions {
  readonly mode: ArmedMode;
  /** of everything random in the simulation */
  readonly seed: number;
  /** further keys of control's configuration */
  readonly config?: Partial<Config>;
  /** names the operator's heartbeats; they come until `beating` is false */
  readonly session?: string;
}

/**
 * One robot from its start on: a real control process, the simulated robot behind a real pty. MCU time passes only in `advance`, in step with
 * control's answers, so that the same seed gives the same run.
 */
export class Scenario {
  readonly folder: RobotFolder;
  readonly judge: CommandJudge;
  readonly simulator: SimulatorClient;
  /** ids of all conditions that were active since `mark` */
  readonly conditions = new Set<string>();
  beating = true;
  /** what control complained of */
  log = '';
  #control: ControlClient | undefined;
  #process: ChildProcess | undefined;
  readonly #sim: RobotSim;
  readonly #options: ScenarioOptions;
  #beats = 0;

  private constructor(folder: RobotFolder, judge: CommandJudge, sim: RobotSim, simulator: SimulatorClient, options: ScenarioOptions) {
    this.folder = folder;
    this.judge = judge;
    this.#sim = sim;
    this.simulator = simulator;
    this.#options = options;
  }

  /** A robot that stands or moves by itself for some seconds. */
  static async start(options: ScenarioOptions): Promise<Scenario> {
    const folder = makeRobotFolder(options.config);
    const robot = loadRobot(join(folder.path, 'wheel-legged.yaml'));
    const judge = new CommandJudge(robot);
    const sim = new RobotSim({
      robot,
      seed: options.seed,
      pace: 'stepped',
      hand: true,
      link: folder.port,
      socket: join(folder.path, 'sim.sock'),
      onExchange: (exchange) => judge.observe(exchange),
    });
    await sim.start();
    const simulator = await SimulatorClient.connect(sim.socketPath);
    const scenario = new Scenario(folder, judge, sim, simulator, options);
    try {
      await scenario.#begin();
    } catch (error) {
      await scenario.end();
      throw new Error(`${error instanceof Error ? error.message : error}\n${scenario.log}`);
    }
    return scenario;
  }

  get control(): ControlClient {
    if (!this.#control) throw new Error('control has not been started');
    return this.#control;
  }

  get pid(): number {
    const pid = this.#process?.pid;
    if (pid === undefined) throw new Error('control has not been started');
    return pid;
  }

  async #begin(): Promise<void> {
    const child = spawn(process.execPath, [CLI, 'control', '--config', this.folder.config], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        ...process.env,
        NODE_OPTIONS: `--require ${TROUBLE}`,
        TROUBLE_SOCKET: this.folder.troubleSocket,
        UV_THREADPOOL_SIZE: undefined,
      },
    });
    this.#process = child;
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.log += text;
    });
    const client = await until('control listens', async () => {
      if (child.exitCode !== null) throw new Error(`control ended with code ${child.exitCode}`);
      try {
        return await ControlClient.connect(this.folder.controlSocket);
      } catch (error) {
        if (error instanceof EdgeError) return undefined;
        throw error;
      }
    });
    this.#control = client;
    client.onEvent = (event) => {
      if (event.event === 'conditions' && Array.isArray(event.active)) {
        for (const id of event.active) this.conditions.add(String(id));
      }
    };
    await client.subscribe({ rows: false, events: true });
    await until('the motor controller has accepted control', async () => {
      return (await client.status()).mcu.session === 'accepted' || undefined;
    });
    // its frame rate must be known before it may be armed
    await this.advance(1.5);
    this.judge.armed();
    const { mode, session } = this.#options;
    await client.command({ name: 'mode', mode, ...(session !== undefined && { session }) }, this.folder.operator);
  }

  /** Lets MCU time pass [s]. @param alone without waiting for control's answers, as it passes for a host that hangs */
  async advance(seconds: number, alone = false): Promise<void> {
    const { session } = this.#options;
    if (session === undefined) {
      await this.simulator.request('advance', { seconds, alone });
      return;
    }
    for (let left = seconds; left > 1e-9; left -= 0.1) {
      if (this.beating) {
        this.#beats += 1;
        this.control.heartbeat(session, this.#beats);
        // read before the next frame, since one socket is read in order
        await this.control.status();
      }
      await this.simulator.request('advance', { seconds: Math.min(left, 0.1), alone });
    }
  }

  /** What is true and what was so far is one thing; what comes is another. */
  async mark(): Promise<void> {
    await this.simulator.request('mark', { name: 'fault' });
    this.conditions.clear();
  }

  async measure(): Promise<Measurement> {
    return await this.simulator.measure('fault');
  }

  async truth(): Promise<Truth> {
    return await this.simulator.truth();
  }

  /** Control's own word, and nothing if it is gone. All events before it have been taken in. */
  async status(): Promise<Status | undefined> {
    if (this.#process?.exitCode !== null || this.#process.signalCode !== null) return undefined;
    try {
      const status = await this.control.status();
      for (const { id } of status.reasons) this.conditions.add(id);
      return status;
    } catch (error) {
      if (error instanceof EdgeError) return undefined;
      throw error;
    }
  }

  signal(name: NodeJS.Signals): void {
    this.#process?.kill(name);
  }

  /** Waits until control's process is gone. */
  async gone(): Promise<void> {
    const child = this.#process;
    if (child && child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }

  async end(): Promise<void> {
    this.#control?.close();
    this.signal('SIGCONT');
    this.signal('SIGKILL');
    await this.gone();
    this.simulator.close();
    await this.#sim.stop();
    rmSync(this.folder.path, { recursive: true, force: true });
  }
}
