import fc from 'fast-check';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { EstopLatch } from './estop-latch.ts';

/**
 * A disk that forgets what was not synced: bytes of a file without its datasync, names of a folder without its sync. What a
 * power cut leaves is any part of that, in any order; a file may be there without its bytes.
 */
const disk = vi.hoisted(() => {
  interface Inode {
    text: string;
    synced: string;
  }
  const empty = () => new Map<string, Inode>();
  const state = {
    names: empty(),
    syncedNames: empty(),
    /** called before each operation; throws to end it there */
    before: (_operation: string): void => {},
    clear() {
      state.names = empty();
      state.syncedNames = empty();
      state.before = () => {};
    },
  };
  return state;
});

vi.mock('node:fs/promises', () => ({
  mkdir: async () => disk.before('mkdir'),
  open: async (path: string, flags: string) => {
    disk.before('open');
    if (flags === 'r') {
      return {
        sync: async () => {
          disk.before('sync folder');
          disk.syncedNames = new Map(disk.names);
        },
        close: async () => {},
      };
    }
    const inode = { text: '', synced: disk.names.get(path)?.synced ?? '' };
    disk.names.set(path, inode);
    return {
      writeFile: async (text: string) => {
        disk.before('write');
        inode.text = text;
      },
      datasync: async () => {
        disk.before('datasync');
        inode.synced = inode.text;
      },
      close: async () => {},
    };
  },
  rename: async (from: string, to: string) => {
    disk.before('rename');
    const inode = disk.names.get(from);
    if (inode) disk.names.set(to, inode);
    disk.names.delete(from);
  },
  rm: async (path: string) => {
    disk.before('rm');
    disk.names.delete(path);
  },
}));

const PATH = '/state/estop';
const LATCHING = [PATH, `${PATH}.part`];

/** Whether a start after a power cut now finds a stop, in the worst case: of what was not synced nothing is there. */
const latchedAfterPowerCut = (): boolean => LATCHING.some((name) => disk.syncedNames.has(name));

/** After a kill -9: what the kernel knows stays. */
const latchedAfterKill = (): boolean => LATCHING.some((name) => disk.names.has(name));

/** A cut at the n-th operation from now on. */
function cutAt(operations: number): void {
  let left = operations;
  disk.before = () => {
    left -= 1;
    if (left < 0) throw new Error('cut off');
  };
}

beforeEach(() => disk.clear());

describe('a power cut', () => {
  it('at any point after the sender was told "latched" finds the stop in force, with its bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string({ maxLength: 10 }), { minLength: 1, maxLength: 4 }), async (sources) => {
        disk.clear();
        const latch = new EstopLatch(PATH);
        for (const source of sources) {
          latch.latch(source);
          expect(await latch.persisted()).toBe(true);
          expect(latchedAfterPowerCut()).toBe(true);
          expect(disk.syncedNames.get(PATH)?.synced).toBe(`${source}\n`);
        }
      }),
    );
  });

  it('at any operation of a newer stop, of a trial or of a release that does not get through, keeps the older one', async () => {
    const work: Array<[string, (latch: EstopLatch) => Promise<boolean>]> = [
      [
        'stop',
        (latch) => {
          latch.latch('again');
          return latch.persisted();
        },
      ],
      ['trial', (latch) => latch.probe()],
      ['release', (latch) => latch.release()],
    ];
    for (const [what, doing] of work) {
      for (let operations = 0; operations < 12; operations++) {
        disk.clear();
        const latch = new EstopLatch(PATH);
        latch.latch('before');
        await latch.persisted();
        cutAt(operations);
        const done = await doing(latch);
        if (what === 'release' && done) continue;
        if (what !== 'release') expect(latchedAfterPowerCut(), `${what}, ${operations}`).toBe(true);
        // A release that was cut off is one that nobody was told of: stopped in memory, whatever is on the disk.
        expect(latch.latched).toBe(true);
      }
    }
  });
});

describe('kill -9', () => {
  it('at any operation of the write finds the stop in force, once there is a file at all', async () => {
    for (let operations = 2; operations < 12; operations++) {
      disk.clear();
      const latch = new EstopLatch(PATH);
      latch.latch('anna');
      cutAt(operations);
      await latch.persisted();
      expect(latchedAfterKill(), `${operations}`).toBe(true);
    }
  });

  it('in the middle of a release leaves the stop in force, or all of it is gone', async () => {
    for (let operations = 0; operations < 8; operations++) {
      disk.clear();
      const latch = new EstopLatch(PATH);
      latch.latch('anna');
      await latch.persisted();
      latch.latch('bert');
      cutAt(3);
      await latch.persisted();
      expect([...disk.names.keys()].sort()).toEqual([PATH, `${PATH}.part`]);
      cutAt(operations);
      const released = await latch.release();
      if (released) expect(latchedAfterKill()).toBe(false);
      else if (disk.names.size > 0) expect(latchedAfterKill()).toBe(true);
      // The draft goes first: never is it the only one that is left by a release.
      expect(disk.names.has(`${PATH}.part`) && !disk.names.has(PATH)).toBe(false);
    }
  });
});
