import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFailed, onTestFinished } from 'vitest';
import { endProcess, temporaryFolder, until } from '../harness.ts';
import { answers, freePort } from '../loopback.ts';

/** For `describe.skipIf`: say "needs mosquitto" in the name. */
export const noMosquitto = ['mosquitto', 'mosquitto_pub'].some(
  (program) => spawnSync(program, ['-h']).error !== undefined,
);

/** A real broker that ends with the test. It keeps nothing on disk: whatever it knows after a restart, somebody said again. */
export class Mosquitto {
  readonly port: number;
  readonly #configPath: string;
  #process: ChildProcess | undefined;
  #log = '';

  private constructor(port: number, configPath: string) {
    this.port = port;
    this.#configPath = configPath;
  }

  /** An address and a configuration; nobody listens there yet. */
  static async reserve(): Promise<Mosquitto> {
    const port = await freePort();
    const configPath = join(temporaryFolder(), 'mosquitto.conf');
    const lines = [
      `listener ${port} 127.0.0.1`,
      'allow_anonymous true',
      'persistence false',
      // A flood is to reach the robot whole.
      'max_queued_messages 0',
    ];
    writeFileSync(configPath, `${lines.join('\n')}\n`);
    return new Mosquitto(port, configPath);
  }

  static async start(): Promise<Mosquitto> {
    const broker = await Mosquitto.reserve();
    await broker.start();
    return broker;
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    const child = spawn('mosquitto', ['-c', this.#configPath], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#process = child;
    onTestFinished(() => endProcess(child));
    onTestFailed(() => {
      process.stderr.write(this.#log);
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#log += text;
    });
    await until('the broker listens', () => {
      if (child.exitCode !== null) throw new Error(`mosquitto ended with code ${child.exitCode}: ${this.#log}`);
      return answers(this.port);
    });
  }

  /** kill -9; it can be started again on the same port. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  /**
   * `mosquitto_pub`, as the README names it for everybody who has no h2o-edge.
   * @param input what `-l` reads, a message a line
   */
  async publish(words: readonly string[], input = ''): Promise<void> {
    const child = spawn('mosquitto_pub', ['-h', '127.0.0.1', '-p', String(this.port), '-V', '5', ...words], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    onTestFinished(() => endProcess(child));
    // One that reads no input may be gone before it was told that there is none.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    const [code] = await once(child, 'exit');
    if (code !== 0) throw new Error(`mosquitto_pub ended with code ${code}`);
  }
}
