import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { rename, rm, symlink } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { EdgeError } from '../errors.ts';

export interface PtyOptions {
  /** symbolic link to the slave: a name that stays when the port goes and comes back; removed on close */
  readonly link?: string;
}

/** A pseudo-terminal without a native module; one side is `path`, the other is here. */
export interface Pty {
  /** of the slave, e.g. /dev/pts/3 */
  readonly path: string;
  /**
   * Sends bytes to whoever has the slave open. Returns false, and drops them, while our pipe is full. `script` and the kernel keep what nobody
   * reads, without a limit: who sends for ever has to notice by itself that nobody listens.
   */
  write(bytes: Uint8Array): boolean;
  /** Calls back with bytes that the other side sent. One listener. */
  onData(listener: (bytes: Uint8Array) => void): void;
  /** Resolves when nothing of it is left. */
  close(): Promise<void>;
}

/**
 * `script` makes the pty, prints its path and then carries raw bytes between the slave and its own stdin and stdout. Parent-death signal: after a
 * kill -9 of this process the kernel ends `script`, and the hang-up of the pty ends what runs on it.
 */
const tools = ['setpriv', 'script', 'stty', 'tty', 'sleep'] as const;
const onTheSlave = 'stty raw -echo; tty; exec sleep infinity';
/** as much as may wait in this process, beyond what the kernel's pipe holds [bytes] */
const maxWaiting = 4096;

/** @throws EdgeError `ptyUnavailable` naming the tool that is missing */
export async function openPty(options: PtyOptions = {}): Promise<Pty> {
  const missing = tools.find((tool) => !isOnPath(tool));
  if (missing) {
    throw new EdgeError('ptyUnavailable', `cannot make a pty: "${missing}" is not on the PATH`, packageOf(missing));
  }
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'script', '-qfec', onTheSlave, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // script runs $SHELL; a login shell's own start-up must not write into the port
    env: { ...process.env, SHELL: '/bin/sh' },
  });
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  // the pipe breaks when the child dies; that is reported by its exit
  child.stdin.on('error', () => undefined);
  let listener: ((bytes: Uint8Array) => void) | undefined;
  const path = await slavePath(child, exited);
  child.stdout.on('data', (bytes: Buffer) => listener?.(bytes));
  const link = options.link;
  if (link !== undefined) await linkTo(path, link);
  return {
    path,
    write(bytes) {
      if (child.stdin.destroyed || child.stdin.writableLength > maxWaiting) return false;
      child.stdin.write(bytes);
      return true;
    },
    onData(wanted) {
      listener = wanted;
    },
    async close() {
      if (link !== undefined) await rm(link, { force: true });
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** Reads the first line of the child's output. */
function slavePath(child: ChildProcess, exited: Promise<void>): Promise<string> {
  return new Promise((resolve, reject) => {
    let head = Buffer.alloc(0);
    let complaint = '';
    const onData = (bytes: Buffer) => {
      head = Buffer.concat([head, bytes]);
      const end = head.indexOf('\n');
      if (end < 0) return;
      child.stdout?.off('data', onData);
      // nothing can follow: nobody has heard of the slave yet
      resolve(head.toString('utf8', 0, end).trim());
    };
    child.stdout?.on('data', onData);
    child.stderr?.on('data', (bytes: Buffer) => {
      complaint = (complaint + bytes.toString()).slice(0, 500);
    });
    void exited.then(() => {
      const message = `cannot make a pty: "script" ended at once: ${complaint.trim()}`;
      reject(new EdgeError('ptyUnavailable', message, 'check that util-linux is installed and /dev/pts is mounted'));
    });
  });
}

/** Never shows a moment without the link or with half of it. */
async function linkTo(path: string, link: string): Promise<void> {
  const next = `${link}.${process.pid}.new`;
  await rm(next, { force: true });
  await symlink(path, next);
  await rename(next, link);
}

function isOnPath(tool: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, tool), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function packageOf(tool: string): string {
  const name = tool === 'setpriv' || tool === 'script' ? 'util-linux (Debian: util-linux, bsdutils)' : 'coreutils';
  return `install ${name}`;
}
