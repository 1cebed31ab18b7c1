import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished } from 'vitest';
import { endProcess, environmentOf, type Finished, temporaryFolder } from '../harness.ts';
import { PYTHON } from './python-operator.ts';

const PAGE = readFileSync(fileURLToPath(new URL('../../docs/clients.md', import.meta.url)), 'utf8');

/** The commands of docs/clients.md as they stand there, each run once at least. */
export class ClientsPage {
  readonly folder = temporaryFolder();
  readonly #blocks = [...PAGE.matchAll(/^```(sh|python)\n(.*?)^```$/gms)].map(([, language, text]) => ({
    language,
    text: text ?? '',
  }));
  readonly #ran = new Set<string>();
  readonly #definitions: string;

  constructor(access: { port: number; robot: string; key: string }) {
    // What a reader puts into their shell once; all else is found by something that it does.
    const definitions = [this.#block('export HOST='), this.#block('ask() {'), this.#block('order() {')];
    this.#definitions = definitions.join('').replace(/HOST=\S+ PORT=\S+ ROBOT=\S+ KEY=\S+/, () => {
      return `HOST=127.0.0.1 PORT=${access.port} ROBOT=${access.robot} KEY=${access.key}`;
    });
  }

  /** Runs the one block that does `what` to its end. It must succeed. @returns what it printed */
  async run(what: string): Promise<string> {
    const block = this.#block(what);
    const { code, stdout, stderr } = block.startsWith('import ')
      ? await this.#shell(`${this.#definitions}exec ${PYTHON} -c "$PROGRAM"`, { PROGRAM: block })
      : await this.#shell(this.#definitions + block);
    expect({ what, code, stderr }).toEqual({ what, code: 0, stderr: '' });
    return stdout;
  }

  /** What stands on the page and was never run. */
  get unread(): string[] {
    return this.#blocks.map(({ text }) => text).filter((text) => !this.#ran.has(text));
  }

  #block(what: string): string {
    const found = this.#blocks.filter(({ text }) => text.includes(what));
    expect(found, what).toHaveLength(1);
    const text = found[0]?.text ?? '';
    this.#ran.add(text);
    return text;
  }

  async #shell(script: string, more: NodeJS.ProcessEnv = {}): Promise<Finished> {
    const child = spawn('sh', ['-euc', script], { cwd: this.folder, env: environmentOf(more) });
    onTestFinished(() => endProcess(child));
    const output = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output.stderr += text;
    });
    const [code] = await once(child, 'close');
    return { code, ...output };
  }
}
