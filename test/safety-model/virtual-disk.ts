/**
 * The one file that control's latch keeps, on a disk that is in memory and answers at once: what is on it outlives a
 * restart. It can be dead. For `vi.mock` of `node:fs/promises` and, for what is read at the start, of `node:fs`.
 */
export const LATCH = '/virtual/state/estop';

export class VirtualDisk {
  readonly files = new Map<string, string>();
  dead = false;

  #touch(): void {
    if (this.dead) throw Object.assign(new Error('EIO: the disk of the test is dead'), { code: 'EIO' });
  }

  readonly promises = {
    mkdir: async () => this.#touch(),
    open: async (path: string) => {
      this.#touch();
      return {
        writeFile: async (text: string) => {
          this.#touch();
          this.files.set(path, text);
        },
        datasync: async () => this.#touch(),
        sync: async () => this.#touch(),
        close: async () => {},
      };
    },
    rename: async (from: string, to: string) => {
      this.#touch();
      this.files.set(to, this.files.get(from) ?? '');
      this.files.delete(from);
    },
    rm: async (path: string) => {
      this.#touch();
      this.files.delete(path);
    },
  };

  /** What is read at the start, for `node:fs`; a descriptor is no number here but the path itself. */
  readonly sync = {
    mkdirSync: () => undefined,
    lstatSync: (path: string) => (this.files.has(path) ? {} : undefined),
    openSync: (path: string) => path,
    readSync: (path: string, buffer: Buffer) => buffer.write(this.files.get(path) ?? ''),
    closeSync: () => {},
  };

  /** A stop that would be found after a restart. */
  get holdsStop(): boolean {
    return this.files.has(LATCH) || this.files.has(`${LATCH}.part`);
  }
}
