import { readFile, readlink, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { EdgeError } from '../errors.ts';

/**
 * One recorder a folder: a second one would take the first one's open segment for the remains of a crash and repair it
 * while it is written. The lock is a symbolic link whose target names the process: made in one step, with its contents,
 * without a byte of file data, so it works on a full disk. A process that died leaves it behind; its start time tells it
 * from another one that got the same number.
 */
export class DirectoryLock {
  readonly #path: string;
  #held = false;

  readonly #doing: string;

  /** @param doing what its holder does with the folder, for whoever comes second */
  constructor(directory: string, doing = 'recording into') {
    this.#path = join(directory, '.recorder');
    this.#doing = doing;
  }

  /** @throws EdgeError `recordingFailed` when another recorder writes there */
  async acquire(): Promise<void> {
    const self = `${process.pid}:${await startOf(process.pid)}`;
    // The second time only a lock that was stale at the first is gone.
    for (let attempt = 0; attempt < 2; attempt++) {
      try {
        await symlink(self, this.#path);
        this.#held = true;
        return;
      } catch (error) {
        // A file system without links, or without room for a name: then the folder goes unguarded.
        if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) return;
      }
      const holder = await readlink(this.#path).catch(() => '');
      const [pid, start] = holder.split(':');
      const running = await startOf(Number(pid));
      if (running !== undefined && String(running) === start) {
        throw new EdgeError(
          'recordingFailed',
          `process ${pid} is ${this.#doing} this folder already`,
          'stop it first, or give this one another folder',
        );
      }
      await rm(this.#path, { force: true });
    }
  }

  async release(): Promise<void> {
    if (this.#held) await rm(this.#path, { force: true }).catch(() => undefined);
    this.#held = false;
  }
}

/**
 * When a process started (proc(5), field 22 of /proc/PID/stat, ticks since the machine's start); `undefined` when there is
 * no such process. Elsewhere than on Linux all that can be said is that it is there.
 */
async function startOf(pid: number): Promise<string | undefined> {
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name in field 2 may hold anything, also spaces and brackets.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    if (process.platform === 'linux') return undefined;
  }
  try {
    process.kill(pid, 0);
    return 'running';
  } catch {
    return undefined;
  }
}
