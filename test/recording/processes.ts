import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url));

/** A folder that goes with the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'h2o-recording-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface Recording {
  readonly child: ChildProcess;
  readonly lines: string[];
  readonly complaints: string[];
  /** resolves with the exit code, `null` after a signal */
  readonly gone: Promise<number | null>;
}

/**
 * Starts a recording process.
 * @param around a command that runs it, such as `prlimit`; it gets the process's own command line as further arguments
 * @param onLine called with each line that it prints
 */
export function startRecording(
  args: readonly string[],
  onLine: (line: string) => void = () => {},
  around: readonly string[] = [],
): Recording {
  const [command = process.execPath, ...rest] = [...around, process.execPath, '--import', 'tsx', CHILD, ...args];
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const lines: string[] = [];
  const complaints: string[] = [];
  createInterface(child.stdout).on('line', (line) => {
    lines.push(line);
    onLine(line);
  });
  createInterface(child.stderr).on('line', (line) => complaints.push(line));
  const gone = new Promise<number | null>((resolve) => child.on('close', resolve));
  return { child, lines, complaints, gone };
}

/** The last row that a process was told to be safe; 0 if there is none. */
export const lastDurable = (lines: readonly string[]): number =>
  Number(lines.findLast((line) => line.startsWith('durable '))?.split(' ')[1] ?? 0);
