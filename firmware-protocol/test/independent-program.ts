import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** For tests: the second implementation of the protocol, which knows PROTOCOL.md and nothing else of this repository. */

const PROGRAM = fileURLToPath(new URL('independent_mcu.py', import.meta.url));

const { stdout: found } = spawnSync('python3', ['-c', 'import sys, termios; print(sys.version_info >= (3, 9))']);

/** Why tests with it cannot run here; empty where they can. */
export const pythonIsMissing: string = String(found).trim() === 'True' ? '' : ': SKIPPED, needs python3, 3.9 or newer';

export type Line = Readonly<Record<string, unknown>>;

/** It runs, and speaks in lines of JSON. */
export class IndependentProgram {
  readonly child: ChildProcess;
  /** what it complained of */
  complaint = '';
  /** every line that it said by itself */
  readonly events: Line[] = [];
  readonly #waiting: Array<{ resolve: (answer: Line) => void; reject: (error: Error) => void }> = [];
  readonly #ended: Promise<void>;

  constructor(...words: string[]) {
    this.child = spawn('python3', [PROGRAM, ...words], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.complaint += text;
    });
    this.child.stdin?.on('error', () => {});
    if (this.child.stdout) createInterface({ input: this.child.stdout }).on('line', (line) => this.#hear(line));
    this.#ended = new Promise((resolve) => {
      this.child.once('error', () => resolve());
      this.child.once('close', () => resolve());
    });
    void this.#ended.then(() => {
      for (const { reject } of this.#waiting.splice(0))
        reject(new Error(`independent_mcu.py ended: ${this.complaint}`));
    });
  }

  /** Says a line that is not answered. */
  tell(line: Line): void {
    this.child.stdin?.write(`${JSON.stringify(line)}\n`);
  }

  /** Says a line and waits for its answer; answers come in order. */
  ask(line: Line): Promise<Line> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.tell(line);
    });
  }

  /** It ends when nobody speaks to it any more. */
  async end(): Promise<void> {
    this.child.stdin?.end();
    await this.#ended;
  }

  #hear(text: string): void {
    const line: Line = JSON.parse(text);
    if ('event' in line) this.events.push(line);
    else this.#waiting.shift()?.resolve(line);
  }
}

/** Checks vectors.json with it. @returns what it said, and its exit code */
export function checkVectors(path: string): { says: string; code: number | null } {
  const { stdout, stderr, status } = spawnSync('python3', [PROGRAM, 'vectors', path], { encoding: 'utf8' });
  return { says: `${stdout}${stderr}`.trim(), code: status };
}
