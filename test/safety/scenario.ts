import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Measurement, SimulatorClient, type Truth } from '../../src/commands/simulator-client.ts';
import { EdgeError } from '../../src/errors.ts';
import { ControlClient } from '../../src/gateway/control-client.ts';
import type { Config } from '../../src/messages/config.ts';
import type { ArmedMode } from '../../src/messages/mode.ts';
import type { Status } from '../../src/messages/status.ts';
import { loadRobot } from '../../src/robot/robot.ts';
import { RobotSim } from '../../src/simulation/robot-sim.ts';
import { until } from '../until.ts';
import { MortalBroker } from './broker.ts';
import { CommandJudge } from './command-judge.ts';
import { makeRobotFolder, type RobotFolder, writeConfig } from './robot-folder.ts';

const CLI = fileURLToPath(new URL('../../dist/h2o-edge.cjs', import.meta.url));
const TROUBLE = fileURLToPath(new URL('../fixtures/trouble.cjs', import.meta.url));

export interface ScenarioOptions {
  /** further keys of control's configuration */
  readonly config?: Partial<Config>;
  /** with a broker, which control's e-stop client knows */
  readonly broker?: boolean;
}

export interface ArmOptions {
  readonly mode: ArmedMode;
  /** of everything random in the simulation */
  readonly seed: number;
  /** names the operator's heartbeats; they come until `beating` is false */
  readonly session?: string;
}

/** A busy machine is not a dead control [ms]. */
const ANSWER_PATIENCE = 20_000;

const NO_LOGIN = { username: '', passwordFile: '', caFile: '', certFile: '', keyFile: '' };

/**
 * One robot from its start on: a real control process, the simulated robot behind a real pty. MCU time passes only in `advance`, in step with
 * control's answers, so that the same seed gives the same run.
 */
export class Scenario {
  readonly folder: RobotFolder;
  readonly judge: CommandJudge;
  readonly simulator: SimulatorClient;
  readonly broker: MortalBroker | undefined;
  /** ids of all conditions that were active since `mark` */
  readonly conditions = new Set<string>();
  beating = true;
  /** whether rows are taken in */
  recording = true;
  /** what control complained of */
  log = '';
  #control: ControlClient | undefined;
  #process: ChildProcess | undefined;
  readonly #sim: RobotSim;
  #session: string | undefined;
  #beats = 0;

  private constructor(
    folder: RobotFolder,
    judge: CommandJudge,
    sim: RobotSim,
    simulator: SimulatorClient,
    broker: MortalBroker | undefined,
  ) {
    this.folder = folder;
    this.judge = judge;
    this.#sim = sim;
    this.simulator = simulator;
    this.broker = broker;
  }

  /** A robot that lies there disarmed, and its control. */
  static async start(options: ScenarioOptions = {}): Promise<Scenario> {
    const folder = makeRobotFolder();
    const broker = options.broker ? await MortalBroker.start(folder.path) : undefined;
    writeConfig(folder, { ...options.config, ...(broker && { broker: { ...NO_LOGIN, url: broker.url } }) });
    const robot = loadRobot(join(folder.path, 'wheel-legged.yaml'));
    const judge = new CommandJudge(robot);
    const sim = new RobotSim({
      robot,
      pace: 'stepped',
      hand: true,
      link: folder.port,
      socket: join(folder.path, 'sim.sock'),
      onExchange: (exchange) => judge.observe(exchange),
    });
    await sim.start();
    const simulator = await SimulatorClient.connect(sim.socketPath);
    const scenario = new Scenario(folder, judge, sim, simulator, broker);
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
    // One that outlived us would look for its port for ever, and find another robot's under the same number.
    const words = ['--pdeathsig', 'KILL', process.execPath, CLI, 'control', '--config', this.folder.config];
    const child = spawn('setpriv', words, {
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
    let sequence = 0;
    client.onRow = () => {
      sequence += 1;
      // as a recorder does, lest control take what is here for one that falls behind
      if (this.recording && sequence % 50 === 0) client.acknowledge(Number.MAX_SAFE_INTEGER);
    };
    await client.subscribe({ rows: true, events: true });
    await until('the motor controller has accepted control', async () => {
      return (await client.status()).mcu.session === 'accepted';
    });
  }

  /** A robot that has just been put there by a hand, armed, whatever was before. */
  async arm({ mode, seed, session }: ArmOptions): Promise<void> {
    const { control, judge } = this;
    this.#session = undefined;
    this.beating = true;
    this.recording = true;
    judge.newLife();
    await this.simulator.request('restart', { seed });
    await this.advance(0.1);
    const status = await control.status();
    const latched = status.state === 'estopped' || status.reasons.some(({ clears }) => clears === 'reset');
    if (latched) await control.command({ name: 'reset' }, this.folder.operator);
    else await control.disarm();
    // its frame rate must be known before it may be armed
    await this.advance(1.4);
    this.#session = session;
    judge.armed();
    await control.command({ name: 'mode', mode, ...(session !== undefined && { session }) }, this.folder.operator);
  }

  /** Lets MCU time pass [s]. @param patience with control's answers [ms]; with 0 it passes as for a host that hangs */
  async advance(seconds: number, patience = this.#gone ? 0 : ANSWER_PATIENCE): Promise<void> {
    const session = this.#session;
    if (session === undefined) {
      await this.simulator.request('advance', { seconds, patience });
      return;
    }
    for (let left = seconds; left > 1e-9; left -= 0.1) {
      if (this.beating) {
        this.#beats += 1;
        this.control.heartbeat(session, this.#beats);
        // read before the next frame, since one socket is read in order
        await this.control.status();
      }
      await this.simulator.request('advance', { seconds: Math.min(left, 0.1), patience });
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
    if (this.#gone) return undefined;
    try {
      const status = await this.control.status();
      for (const { id } of status.reasons) this.conditions.add(id);
      return status;
    } catch (error) {
      if (error instanceof EdgeError) return undefined;
      throw error;
    }
  }

  get #gone(): boolean {
    const child = this.#process;
    return child !== undefined && (child.exitCode !== null || child.signalCode !== null);
  }

  signal(name: NodeJS.Signals): void {
    this.#process?.kill(name);
  }

  /** Waits until control's process is gone. */
  async gone(): Promise<void> {
    const child = this.#process;
    if (child && !this.#gone) await once(child, 'exit');
  }

  async end(): Promise<void> {
    await this.broker?.kill();
    this.#control?.close();
    this.signal('SIGCONT');
    this.signal('SIGKILL');
    await this.gone();
    this.simulator.close();
    await this.#sim.stop();
    rmSync(this.folder.path, { recursive: true, force: true });
  }
}
