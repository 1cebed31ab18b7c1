import { spawn } from 'node:child_process';
import { EdgeError, ErrorCode, type ErrorCodeName } from '../../errors.ts';

export interface ChildOptions {
  /** what runs the command line: node and its script */
  readonly program: readonly [string, ...string[]];
  readonly words: readonly string[];
  readonly stop: AbortSignal;
  /** a line for people */
  readonly onLine?: (line: string) => void;
  readonly onPid?: (pid: number) => void;
}

/** How long a command that was asked to end may take to save [ms]. */
const SAVING_TIME = 20_000;
/** What of its words is kept for the reason, when it fails [characters]. */
const KEPT = 8192;

/**
 * Runs one of our own commands to its end. The child has a channel to this process and ends when it closes, so that none
 * outlives a trainer that was killed.
 * @returns the last line on stdout
 * @throws EdgeError as the command said on stderr; `jobInterrupted` when it ended in another way; `jobCancelled` when it was stopped
 */
export async function runChild({
  program,
  words,
  stop,
  onLine,
  onPid,
}: ChildOptions): Promise<Record<string, unknown>> {
  if (stop.aborted) throw stopped();
  const [command, ...before] = program;
  const child = spawn(command, [...before, ...words], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  if (child.pid !== undefined) onPid?.(child.pid);
  let [stdout, stderr] = ['', ''];
  let begun = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout = `${stdout}${text}`.slice(-KEPT * 8);
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = `${stderr}${text}`.slice(-KEPT);
    const lines = `${begun}${text}`.split('\n');
    begun = (lines.pop() ?? '').slice(-KEPT);
    for (const line of lines) onLine?.(line);
  });
  let killing: NodeJS.Timeout | undefined;
  const end = () => {
    child.kill('SIGTERM');
    killing = setTimeout(() => child.kill('SIGKILL'), SAVING_TIME);
  };
  stop.addEventListener('abort', end);
  try {
    const { code, signal, problem } = await new Promise<{
      code: number | null;
      signal: string | null;
      problem: string;
    }>((resolve) => {
      child.once('error', (error) => resolve({ code: null, signal: null, problem: error.message }));
      child.once('close', (code, signal) => resolve({ code, signal, problem: '' }));
    });
    if (stop.aborted) throw stopped();
    if (code === 0) return lastLineOf(stdout, words);
    throw saidError(stderr) ?? unexplained(words, code, signal, problem || stderr.trim());
  } finally {
    clearTimeout(killing);
    stop.removeEventListener('abort', end);
  }
}

const stopped = () =>
  new EdgeError('jobCancelled', 'it was stopped', 'start the trainer again, or order the training anew');

const unexplained = (words: readonly string[], code: number | null, signal: string | null, says: string) =>
  new EdgeError(
    'jobInterrupted',
    `\`${words[0]}\` ended ${signal === null ? `with code ${code}` : `by ${signal}`}: ${says.slice(-500) || 'it said nothing'}`,
    'it is tried again; if that does not help, look for what ends it: too little memory, a full disk',
  );

function lastLineOf(stdout: string, words: readonly string[]): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // said below
  }
  throw unexplained(words, 0, null, `no JSON at its end: ${stdout.slice(-200)}`);
}

/** The error that a command shows on stderr: words, remedy, code. */
export function saidError(stderr: string): EdgeError | undefined {
  const match = /(?:^|\n)h2o-edge: ([\s\S]+?)\n {2}→ ([\s\S]+?) {2}\[E(\d+) (\w+)\]\s*$/.exec(stderr);
  const [, message = '', remedy = '', , name = ''] = match ?? [];
  if (!Object.hasOwn(ErrorCode, name)) return undefined;
  return new EdgeError(name as ErrorCodeName, message, remedy);
}
