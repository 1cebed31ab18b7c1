import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { onTestFailed, onTestFinished } from 'vitest';
import { BrokerClient } from '../../src/commands/broker-client.ts';
import { OPERATOR_KEY_NAME } from '../../src/commands/context.ts';
import type { Config } from '../../src/messages/config.ts';
import { type DirectoryReport, verifyDirectory } from '../../src/recording/verify.ts';
import {
  CLI,
  endProcess,
  environmentOf,
  type Finished,
  h2oEdge,
  type RobotOptions,
  TestRobot,
  temporaryFolder,
  until,
} from '../harness.ts';
import { Listener } from './listener.ts';

/** Name of the robot of every test. */
export const ROBOT = 'test-robot';

/** A broker as the robot's configuration names it. */
export interface RigBroker {
  readonly url: string;
  /** where it wants certificates */
  readonly robotFiles?: Partial<Config['broker']>;
}

const NO_FILES: Config['broker'] = { url: '', username: '', passwordFile: '', caFile: '', certFile: '', keyFile: '' };

/** A gateway process of its own. */
export class TestGateway {
  readonly process: ChildProcess;
  /** what it logged */
  log = '';

  /** @param around a command that runs it, such as `prlimit` */
  constructor(configPath: string, around: readonly string[] = []) {
    const [program = process.execPath, ...words] = [
      ...around,
      process.execPath,
      CLI,
      'gateway',
      '--config',
      configPath,
    ];
    const child = spawn(program, words, { stdio: ['ignore', 'ignore', 'pipe'], env: environmentOf() });
    this.process = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.log += text;
    });
    onTestFinished(() => endProcess(child));
    onTestFailed(() => {
      process.stderr.write(`gateway: ${this.log}`);
    });
  }

  get ended(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  /** As a crash would. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (this.ended) return;
    const gone = once(this.process, 'exit');
    this.process.kill(signal);
    await gone;
  }
}

export interface RigOptions extends RobotOptions {
  /** address of the broker; none if not given */
  readonly broker?: RigBroker;
  /** `false`: the test starts it, or nobody does */
  readonly gateway?: boolean;
}

/** A simulated robot with control and gateway, all of them processes of their own, and perhaps a broker. */
export class Rig {
  readonly robot: TestRobot;
  readonly broker: RigBroker | undefined;
  gateway: TestGateway | undefined;

  private constructor(robot: TestRobot, broker: RigBroker | undefined) {
    this.robot = robot;
    this.broker = broker;
  }

  static async start({ broker, gateway = true, config, ...options }: RigOptions = {}): Promise<Rig> {
    const access = broker && { broker: { ...NO_FILES, ...broker.robotFiles, url: broker.url } };
    const robot = await TestRobot.withoutControl({ ...options, config: { ...access, ...config } });
    const rig = new Rig(robot, broker);
    if (gateway) rig.startGateway();
    await robot.startControl();
    return rig;
  }

  startGateway(): TestGateway {
    this.gateway = new TestGateway(this.robot.configPath);
    return this.gateway;
  }

  /** Waits until rows that were made from now on are on disk. */
  async recording(): Promise<void> {
    const acknowledged = (await this.counters())['rows.acknowledged'] ?? 0;
    await this.robot.status('rows are put on disk', ({ counters }) => {
      return (counters['rows.acknowledged'] ?? 0) > acknowledged;
    });
  }

  async counters(): Promise<Record<string, number>> {
    return (await this.robot.control.status()).counters;
  }

  get recordings(): string {
    return join(this.robot.folder, 'state', 'recordings');
  }

  get operatorKey(): string {
    return join(this.robot.folder, OPERATOR_KEY_NAME);
  }

  /**
   * Ends the simulated robot, waits until the gateway has put the last row on disk, ends it and reads all back.
   * @returns counters of control, and what lies on disk
   */
  async readBack({ tapeToo = false } = {}): Promise<{ counters: Record<string, number>; report: DirectoryReport }> {
    await this.robot.simulator.request('quit');
    const counters = await until('control has got rid of its last row', async () => {
      // While the port is open, another row may be on its way.
      const { link } = await this.robot.control.status();
      const now = await this.counters();
      return !link.open && now['rows.made'] === now['rows.acknowledged'] && now;
    });
    // The last block of the tape is closed with the port: the rows in it may have been acknowledged before.
    if (tapeToo) await until('the tape is on disk', () => this.#tapeIsOnDisk());
    await this.gateway?.stop();
    return { counters, report: await verifyDirectory(this.recordings) };
  }

  async #tapeIsOnDisk(): Promise<boolean> {
    const { 'rows.tapeMade': made = 0 } = await this.counters();
    return (await verifyDirectory(this.recordings)).tapeBlocks >= made;
  }

  /** The operator's client, once the robot is there. */
  async operator(): Promise<BrokerClient> {
    const broker = this.#needBroker();
    const client = await BrokerClient.connect({ url: broker.url, robot: ROBOT });
    onTestFinished(() => client.close());
    await until('the robot is on the broker', () => client.state?.online === true);
    return client;
  }

  async listener(): Promise<Listener> {
    return await Listener.to(this.#needBroker());
  }

  /** A command of the command line over the broker, from a folder that has nothing to do with the robot. */
  remotely(...words: string[]): Promise<Finished> {
    return h2oEdge([...words, '--broker', this.#needBroker().url, '--robot', ROBOT], temporaryFolder());
  }

  /** As `remotely`, for what wants a key. */
  signed(...words: string[]): Promise<Finished> {
    return this.remotely(...words, '--key', this.operatorKey);
  }

  #needBroker(): RigBroker {
    if (!this.broker) throw new Error('this rig has no broker');
    return this.broker;
  }
}
