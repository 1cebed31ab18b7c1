import { type ChildProcess, spawn } from 'node:child_process';
import type { KeyObject } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { onTestFailed, onTestFinished } from 'vitest';
import { confirmReset } from '../src/commands/confirm-reset.ts';
import { CONFIG_NAME, OPERATOR_KEY_NAME } from '../src/commands/context.ts';
import { SimulatorClient, type Truth } from '../src/commands/simulator-client.ts';
import { EdgeError } from '../src/errors.ts';
import { ControlClient } from '../src/gateway/control-client.ts';
import { generateKeyPair, writePrivateKey } from '../src/keys/key-pair.ts';
import { formatTrustFile, readTrustFile, type TrustEntry, trustEntry } from '../src/keys/trust-store.ts';
import { type Config, loadConfig } from '../src/messages/config.ts';
import type { ArmedMode } from '../src/messages/mode.ts';
import { decodeRow, type Row } from '../src/messages/row.ts';
import { jsonForSocket } from '../src/messages/socket-frame.ts';
import type { Status } from '../src/messages/status.ts';
import { modelsDirectory } from '../src/robot/robot.ts';
import { familyOf, isAlive, processStat } from './process-family.ts';
import { until } from './until.ts';

export { familyOf, isAlive, processStat, until };

/**
 * Real processes for tests: the built command line, a simulated robot on a real pty, a real control. MCU time is the clock
 * (`--pace lockstep`), so that a slow machine changes nothing; whatever waits here waits for a condition.
 */

export const CLI = fileURLToPath(new URL('../dist/h2o-edge.cjs', import.meta.url));

export const STAND: ArmedMode = { task: 'standing-still', controller: 'balancer' };
export const STAND_BY_POLICY: ArmedMode = { task: 'standing-still', controller: 'standing-still-balancer' };
export const MOVE_BY_POLICY: ArmedMode = { task: 'moving-straight', controller: 'moving-straight-balancer' };

const ROBOT_NAME = 'wheel-legged.yaml';

/**
 * A robot whose host is patient. In step with the answers a frame that was lost holds MCU time for a second; the host's
 * silence watchdog, which knows host time only, would take that for a dead port.
 */
export const patientHost = (text: string): string => {
  const patient = text.replace(/(sensorSilence: \{ value: )50,/, '$110000,');
  if (patient === text) throw new Error('the robot file states sensorSilence in another way');
  return patient;
};

/** A folder that goes with the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'h2o-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Environment of a process of a test. */
export const environmentOf = (more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => {
  // What the program sets itself must come from the program.
  const { NODE_OPTIONS: _, H2O_EDGE_CONFIG: __, UV_THREADPOOL_SIZE: ___, ...rest } = process.env;
  return { ...rest, ...more };
};

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command of the built command line to its end. */
export async function h2oEdge(words: readonly string[], folder = tmpdir()): Promise<Finished> {
  const child = spawn(process.execPath, [CLI, ...words], { cwd: folder, env: environmentOf() });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text;
  });
  // A command that hangs must not outlive its test.
  onTestFinished(() => endProcess(child));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, ...output };
}

/** The machine's answer: the last line on stdout. */
export function lastLine({ stdout }: Finished): Record<string, unknown> {
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
}

/** Asks a process to end, then ends it and all that it had started. */
export async function endProcess(child: ChildProcess): Promise<void> {
  const { pid } = child;
  if (pid === undefined) return;
  const family = familyOf(pid);
  const gone = () => !family.some(isAlive);
  child.kill('SIGTERM');
  const patience = performance.now() + 3000;
  while (!gone() && performance.now() < patience) await delay(5);
  for (const member of family.filter(isAlive)) process.kill(member.pid, 'SIGKILL');
  await until('the processes of the test have ended', gone);
}

export interface RobotOptions {
  readonly pace?: 'lockstep' | 'real';
  /** further words for `robot-sim`; by default a hand holds the robot until it is armed */
  readonly simulator?: readonly string[];
  /** further keys of the configuration */
  readonly config?: Partial<Omit<Config, 'serial'>>;
  /** puts policy bundles into the folder, signed by a release key that the robot trusts */
  readonly bundles?: (folder: string, release: KeyObject) => Promise<void> | void;
  /** changes the robot file that control and simulator read */
  readonly robotFile?: (text: string) => string;
  /** further environment of control */
  readonly environment?: NodeJS.ProcessEnv;
}

/** A simulated robot with its control, as processes of their own in a folder of their own. They end with the test. */
export class TestRobot {
  readonly folder: string;
  readonly operator: KeyObject;
  /** what the processes complained of */
  log = '';
  readonly #simulated: { readonly client: SimulatorClient; readonly process: ChildProcess } | undefined;
  readonly #options: RobotOptions;
  #control: ControlClient | undefined;
  #controlProcess: ChildProcess | undefined;

  private constructor(
    folder: string,
    operator: KeyObject,
    options: RobotOptions,
    simulated?: { client: SimulatorClient; process: ChildProcess },
  ) {
    this.folder = folder;
    this.operator = operator;
    this.#options = options;
    this.#simulated = simulated;
    onTestFailed(() => {
      process.stderr.write(this.log);
    });
  }

  /** A robot of somebody else's making on that port, with everything in place for a control. */
  static async onPort(path: string, options: Omit<RobotOptions, 'pace' | 'simulator'> = {}): Promise<TestRobot> {
    const folder = temporaryFolder();
    symlinkSync(path, join(folder, 'port'));
    return new TestRobot(folder, await furnish(folder, options), options);
  }

  /** The simulated robot alone, with everything in place for a control. */
  static async withoutControl(options: RobotOptions = {}): Promise<TestRobot> {
    const folder = temporaryFolder();
    const operator = await furnish(folder, options);
    const { pace = 'lockstep', simulator: more = ['--hand'] } = options;
    const socket = join(folder, 'sim.sock');
    const words = ['robot-sim', '--pace', pace, '--link', join(folder, 'port'), '--socket', socket, ...more];
    if (options.robotFile) words.push('--robot', join(folder, ROBOT_NAME));
    const child = spawn(process.execPath, [CLI, ...words], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: environmentOf(),
    });
    onTestFinished(() => endProcess(child));
    await lineFrom(child);
    const simulator = await SimulatorClient.connect(socket);
    onTestFinished(() => simulator.close());
    const robot = new TestRobot(folder, operator, options, { client: simulator, process: child });
    robot.#listen('robot-sim', child);
    return robot;
  }

  /** The simulated robot and its control, which hears it. */
  static async start(options: RobotOptions = {}): Promise<TestRobot> {
    const robot = await TestRobot.withoutControl(options);
    await robot.startControl();
    return robot;
  }

  get simulator(): SimulatorClient {
    if (!this.#simulated) throw new Error('this robot is not simulated by robot-sim');
    return this.#simulated.client;
  }

  get simulatorProcess(): ChildProcess {
    if (!this.#simulated) throw new Error('this robot is not simulated by robot-sim');
    return this.#simulated.process;
  }

  get port(): string {
    return join(this.folder, 'port');
  }

  get configPath(): string {
    return join(this.folder, CONFIG_NAME);
  }

  get controlSocket(): string {
    return join(this.folder, 'run', 'control.sock');
  }

  get latchFile(): string {
    return join(this.folder, 'state', 'estop');
  }

  /** The connection to the control that runs now. */
  get control(): ControlClient {
    if (!this.#control) throw new Error('control has not been started');
    return this.#control;
  }

  /** @param supervisor `run` starts control and starts it again */
  async startControl(command: 'control' | 'run' = 'control'): Promise<void> {
    const child = spawn(process.execPath, [CLI, command, '--config', this.configPath], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: environmentOf(this.#options.environment),
    });
    onTestFinished(() => endProcess(child));
    this.#controlProcess = child;
    this.#listen(command, child);
    await this.connect();
    await until('the motor controller has accepted this control', async () => {
      const { mcu } = await this.control.status();
      return mcu.session === 'accepted';
    });
  }

  /** Connects to the control that runs now, or will in a moment. */
  async connect(): Promise<void> {
    this.#control?.close();
    this.#control = await until('control listens', async () => {
      const child = this.#controlProcess;
      if (child && child.exitCode !== null) throw new Error(`control ended with code ${child.exitCode}\n${this.log}`);
      try {
        return await ControlClient.connect(this.controlSocket);
      } catch (error) {
        if (error instanceof EdgeError) return undefined;
        throw error;
      }
    });
    const client = this.#control;
    onTestFinished(() => client.close());
  }

  /** @returns process number of the control that answers */
  async controlPid(): Promise<number> {
    return (await this.control.status()).pid;
  }

  /** kill -9, as a crash would; returns when it is gone. */
  async killControl(): Promise<void> {
    const [control] = familyOf(await this.controlPid());
    if (!control) throw new Error('control is gone already');
    process.kill(control.pid, 'SIGKILL');
    await until('control is gone', () => !isAlive(control));
  }

  /** Arms, as soon as the arming checks let it. */
  async arm(mode: ArmedMode = STAND): Promise<void> {
    let refusal = '';
    await until(`armed for ${mode.task}`, async () => {
      try {
        await this.control.command({ name: 'mode', mode }, this.operator);
        return true;
      } catch (error) {
        if (!(error instanceof EdgeError) || error.codeName !== 'requestRefused') throw error;
        if (!error.message.includes('too-many-commands')) refusal = error.message;
        // Signature checks are rationed; and only MCU time can change anything.
        await (this.#simulated ? this.#simulated.client.wait(0.1) : delay(100));
        return false;
      }
    }).catch((error: unknown) => {
      throw new Error(`${error instanceof Error ? error.message : error}: ${refusal}`);
    });
  }

  /** Arms and lets it stand by itself, without the hand. */
  async stand(mode: ArmedMode = STAND): Promise<void> {
    await this.arm(mode);
    await until('the hand has let go', async () => {
      const { state, hand } = await this.simulator.truth();
      return state === 'active' && !hand;
    });
    await this.simulator.wait(1);
  }

  /** Somebody picks it up. */
  async lift(): Promise<void> {
    await this.simulator.request('lift');
    await this.simulator.wait(1.5);
  }

  /** As an operator beside the robot. */
  async reset(): Promise<void> {
    await this.confirmReset();
    await this.control.command({ name: 'reset' }, this.operator);
  }

  /** Somebody on the robot agrees that the stop in force is undone; a signed reset is still to come. */
  async confirmReset(): Promise<void> {
    await confirmReset(loadConfig(this.configPath));
  }

  /** Waits until the simulator's ground truth is so. */
  truth(what: string, isSo: (truth: Truth) => boolean): Promise<Truth> {
    return until(what, async () => {
      const truth = await this.simulator.truth();
      return isSo(truth) && truth;
    });
  }

  /** Waits until control's status says so. */
  status(what: string, isSo: (status: Status) => boolean): Promise<Status> {
    return until(what, async () => {
      const status = await this.control.status();
      return isSo(status) && status;
    });
  }

  /** From now on every row of this control is kept. */
  async collectRows(): Promise<Row[]> {
    const rows: Row[] = [];
    this.control.onRow = (bytes) => {
      const row = decodeRow(bytes);
      if (!row) throw new Error('a row could not be decoded');
      rows.push(row);
    };
    await this.control.subscribe({ rows: true, events: false });
    return rows;
  }

  /** A command of the command line, for this robot. */
  order(...words: string[]): Promise<Finished> {
    return h2oEdge([...words, '--config', this.configPath], this.folder);
  }

  #listen(name: string, child: ChildProcess): void {
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.log += `${name}: ${text}`;
    });
  }
}

/** Ids of the active conditions. */
export const reasonsOf = (status: Status): string[] => status.reasons.map(({ id }) => id);

/** The refusal of an order, with the robot's own words; an order that is obeyed is an error. */
export async function refusalOf(order: Promise<unknown>): Promise<string> {
  try {
    await order;
  } catch (error) {
    if (error instanceof EdgeError && error.codeName === 'requestRefused') return error.message;
    throw error;
  }
  throw new Error('the order was obeyed');
}

/** A connection to control's socket on which anything at all can be sent. */
export class RawConnection {
  readonly answers: Array<Record<string, unknown>> = [];
  closed = false;
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    let pending: Buffer = Buffer.alloc(0);
    socket.on('data', (bytes: Buffer) => {
      pending = Buffer.concat([pending, bytes]);
      // u32 length of what follows, u8 kind, payload; only JSON is asked for here
      while (pending.length >= 4 && pending.length >= 4 + pending.readUInt32LE(0)) {
        const end = 4 + pending.readUInt32LE(0);
        this.answers.push(JSON.parse(pending.toString('utf8', 5, end)));
        pending = pending.subarray(end);
      }
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.closed = true;
    });
  }

  static async to(robot: TestRobot): Promise<RawConnection> {
    return await until('a connection to control', async () => {
      const socket = connect(robot.controlSocket);
      onTestFinished(() => void socket.destroy());
      // The queue of those who want to be let in may be full for a moment.
      const error = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
        socket.once('connect', () => resolve(undefined));
        socket.once('error', resolve);
      });
      if (error === undefined) return new RawConnection(socket);
      if (error.code !== 'EAGAIN') throw error;
      return undefined;
    });
  }

  send(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Sends a request and waits for its answer. */
  async ask(request: Record<string, unknown>): Promise<Record<string, unknown>> {
    const id = this.answers.length + 1;
    this.send(jsonForSocket({ id, ...request }));
    return await until(`an answer to ${String(request.request)}`, () =>
      this.answers.find((answer) => answer.id === id),
    );
  }
}

/** Configuration, keys and policies. @returns the operator's key */
async function furnish(folder: string, { config, bundles, robotFile }: RobotOptions): Promise<KeyObject> {
  const operator = generateKeyPair();
  const release = generateKeyPair();
  const trusted: TrustEntry[] = [
    ...readTrustFile(join(modelsDirectory, 'keys', 'demo-trust.yaml')),
    trustEntry(operator.publicKey, 'operator', 'the operator of this test'),
    trustEntry(release.publicKey, 'release', 'the bundles of this test'),
  ];
  writePrivateKey(join(folder, OPERATOR_KEY_NAME), operator.privateKey);
  writeFileSync(join(folder, 'trust.yaml'), formatTrustFile(trusted));
  const policies = join(folder, 'policies');
  mkdirSync(policies);
  await bundles?.(policies, release.privateKey);
  if (robotFile) {
    const robots = join(modelsDirectory, 'robots');
    writeFileSync(join(folder, ROBOT_NAME), robotFile(readFileSync(join(robots, ROBOT_NAME), 'utf8')));
    copyFileSync(join(robots, 'wheel-legged.xml'), join(folder, 'wheel-legged.xml'));
  }
  const keys = {
    name: 'test-robot',
    ...(robotFile && { robot: `./${ROBOT_NAME}` }),
    serial: { path: join(folder, 'port') },
    realTimePriority: 0,
    // In step with the answers, or patient, simulated time waits for a machine that stalls: no robot falls by that.
    delayCheck: 'warn',
    policyLatencyBudget: 10,
    // Tests run at the same time; who wants the port names one.
    http: { port: 0 },
    ...config,
  };
  // JSON is YAML.
  writeFileSync(join(folder, CONFIG_NAME), JSON.stringify(keys, null, 2));
  return operator.privateKey;
}

/** The first line that a process says. */
function lineFrom(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let complaint = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      complaint += text;
    });
    if (child.stdout) createInterface({ input: child.stdout }).once('line', resolve);
    child.once('error', reject);
    child.once('exit', (code, signal) => reject(new Error(`the simulator ended (${signal ?? code}): ${complaint}`)));
  });
}

/** Folder of the bundles that ship; the robot of a test trusts the demo's key. */
export const SHIPPED_POLICIES = join(modelsDirectory, 'policies');
