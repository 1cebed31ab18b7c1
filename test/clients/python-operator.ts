import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { onTestFailed, onTestFinished } from 'vitest';
import type { CommandResponse, StateMessage, TelemetryMessage } from '../../src/messages/mqtt.ts';
import { endProcess, environmentOf, until } from '../harness.ts';

/** Debian's; another one on the PATH may lack its packages. */
export const PYTHON = '/usr/bin/python3';

/** For `describe.skipIf`: say "needs python3-paho-mqtt and python3-cryptography" in the name. */
export const noPaho = spawnSync(PYTHON, ['-c', 'import paho.mqtt.client, cryptography']).status !== 0;

/** What the client answers, as the robot said it or of its own. */
export type PythonAnswer = Partial<Extract<CommandResponse, { ok: true }>> & {
  ok: boolean;
  refusal?: { code: string; message: string };
  state?: StateMessage;
  telemetry?: TelemetryMessage[];
  stages?: string[];
};

/** The operator of `plain_operator.py`, as a process. */
export class PythonOperator {
  readonly #process: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #lines: Interface;
  readonly #answers: PythonAnswer[] = [];
  #complaint = '';

  constructor(words: { port: number; robot: string; key: string }) {
    const program = fileURLToPath(new URL('plain_operator.py', import.meta.url));
    const options = ['--port', String(words.port), '--robot', words.robot, '--key', words.key];
    this.#process = spawn(PYTHON, [program, ...options], { stdio: ['pipe', 'pipe', 'pipe'], env: environmentOf() });
    onTestFinished(() => endProcess(this.#process));
    onTestFailed(() => {
      process.stderr.write(this.#complaint);
    });
    this.#process.stdin.on('error', () => {});
    this.#process.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#complaint += text;
    });
    this.#lines = createInterface({ input: this.#process.stdout });
    this.#lines.on('line', (line) => this.#answers.push(JSON.parse(line)));
  }

  /** Gives an order and waits for the answer to it. */
  async does(order: { do: string; [key: string]: unknown }): Promise<PythonAnswer> {
    const expected = this.#answers.length + 1;
    this.#process.stdin.write(`${JSON.stringify(order)}\n`);
    return await until(`python answers "${order.do}"`, () => {
      if (this.#process.exitCode !== null) throw new Error(`python ended: ${this.#complaint}`);
      return this.#answers[expected - 1];
    });
  }

  /** Repeats what the robot refuses for a reason that goes by itself. */
  async accomplishes(order: { do: string; [key: string]: unknown }, between: () => Promise<unknown>): Promise<void> {
    let refusal = '';
    await until(`python is obeyed: ${order.do}`, async () => {
      const answer = await this.does(order);
      if (answer.ok) return true;
      refusal = answer.refusal?.message ?? '';
      await between();
      return false;
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${refusal}`);
    });
  }
}
