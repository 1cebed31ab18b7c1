import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { rowsIn } from '../../src/recording/recording.testing.ts';
import { bySequence, isSegment } from '../../src/recording/segment-name.ts';

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

/** Numbers of all rows in a folder, in their order; each is compared with what it has to be. */
export async function rowsInFolder(directory: string): Promise<number[]> {
  const numbers: number[] = [];
  for (const file of readdirSync(directory).filter(isSegment).sort(bySequence)) {
    numbers.push(...(await rowsIn(join(directory, file))));
  }
  return numbers;
}

/** A disk of its own for one process: mounted over the folder, in a mount namespace that ends with it. */
export const withDisk = (megabytes: number, directory: string): string[] => [
  'unshare',
  '--map-root-user',
  '--mount',
  'sh',
  '-c',
  `mount -t tmpfs -o size=${megabytes}m tmpfs "$0" && exec "$@"`,
  directory,
];

/** Containers often forbid it. */
export const canMount =
  spawnSync('unshare', ['--map-root-user', '--mount', 'sh', '-c', 'mount -t tmpfs tmpfs /mnt']).status === 0;

/** bad-disk.c wants a compiler, and Linux. */
export const canSpoil = process.platform === 'linux' && spawnSync('gcc', ['--version']).status === 0;

let library: string | undefined;

/** What goes wrong on the disk of one process; see bad-disk.c. */
export interface BadDisk {
  readonly what: 'torn' | 'write' | 'sync' | 'all' | 'read' | 'slow';
  readonly at?: number;
  readonly operations?: number;
  readonly errno?: number;
  readonly seed?: number;
  readonly ms?: number;
}

/** A command that runs another one on a bad disk. */
export function onBadDisk({ what, at = 1, operations = 1, errno = 5, seed = 1, ms = 100 }: BadDisk): string[] {
  if (library === undefined) {
    const folder = mkdtempSync(join(tmpdir(), 'h2o-bad-disk-'));
    process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
    library = join(folder, 'bad-disk.so');
    const source = fileURLToPath(new URL('./bad-disk.c', import.meta.url));
    const flags = ['-std=gnu11', '-Wall', '-Wextra', '-Werror', '-O1', '-shared', '-fPIC'];
    execFileSync('gcc', [...flags, source, '-o', library, '-ldl'], { stdio: ['ignore', 'pipe', 'pipe'] });
  }
  return [
    'env',
    `LD_PRELOAD=${library}`,
    // Calls that go past the C library are not seen by it.
    'UV_USE_IO_URING=0',
    `BAD_DISK=${what}`,
    `BAD_DISK_AT=${at}`,
    `BAD_DISK_FOR=${operations}`,
    `BAD_DISK_ERRNO=${errno}`,
    `BAD_DISK_SEED=${seed}`,
    `BAD_DISK_MS=${ms}`,
  ];
}
