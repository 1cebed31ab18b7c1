import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { rowsIn } from '../../src/recording/recording.testing.ts';
import { bySequence, isSegment } from '../../src/recording/segment-name.ts';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

let compiled: string | undefined;

/** child.ts, compiled once for all processes of a test file: most of them live for less time than a compiler takes. */
function child(): string {
  if (compiled === undefined) {
    const folder = mkdtempSync(join(tmpdir(), 'h2o-recording-child-'));
    process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
    symlinkSync(join(PROJECT, 'node_modules'), join(folder, 'node_modules'));
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
    const options = { noEmit: false, noCheck: true, rootDir: PROJECT, outDir: folder, types: [] };
    const files = [join(PROJECT, 'test', 'recording', 'child.ts')];
    const project = { extends: join(PROJECT, 'tsconfig.json'), compilerOptions: options, files, include: [] };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(project));
    const compiler = join(PROJECT, 'node_modules', '.bin', 'tsc');
    execFileSync(compiler, ['-p', join(folder, 'tsconfig.json')], { stdio: ['ignore', 'pipe', 'pipe'] });
    compiled = join(folder, 'test', 'recording', 'child.js');
  }
  return compiled;
}

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
  const [command = process.execPath, ...rest] = [...around, process.execPath, child(), ...args];
  const started = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => {
    started.kill('SIGKILL');
  });
  const lines: string[] = [];
  const complaints: string[] = [];
  createInterface(started.stdout).on('line', (line) => {
    lines.push(line);
    onLine(line);
  });
  createInterface(started.stderr).on('line', (line) => complaints.push(line));
  const gone = new Promise<number | null>((resolve) => started.on('close', resolve));
  return { child: started, lines, complaints, gone };
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
