import { beforeEach, describe, expect, it, vi } from 'vitest';
import { robotControlRig } from '../control-rig.testing.ts';
import { EstopLatch } from './estop-latch.ts';

/** A disk whose operations can be held up, or fail. */
const disk = vi.hoisted(() => ({
  files: new Map<string, string>(),
  before: (_operation: string): Promise<unknown> => Promise.resolve(),
}));

vi.mock('node:fs/promises', () => ({
  mkdir: () => disk.before('mkdir'),
  open: async (path: string) => {
    await disk.before('open');
    return {
      writeFile: async (text: string) => {
        await disk.before('write');
        disk.files.set(path, text);
      },
      datasync: () => disk.before('datasync'),
      sync: () => disk.before('sync'),
      close: () => disk.before('close'),
    };
  },
  rename: async (from: string, to: string) => {
    await disk.before('rename');
    disk.files.set(to, disk.files.get(from) ?? '');
    disk.files.delete(from);
  },
  rm: async (path: string) => {
    await disk.before('rm');
    disk.files.delete(path);
  },
}));

beforeEach(() => {
  disk.files.clear();
  disk.before = () => Promise.resolve();
});

async function stopped() {
  const rig = robotControlRig({ latch: new EstopLatch('/state/estop') });
  rig.run();
  await rig.control.estop('before');
  rig.echo(1);
  rig.frame({ state: 'estopped' });
  return rig;
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 2));

describe('on a slow disk', () => {
  it('a second reset waits for the first, and a stop in between is a new one', async () => {
    const rig = await stopped();
    let go = () => {};
    const slow = new Promise<void>((resolve) => {
      go = resolve;
    });
    disk.before = (operation) => (operation === 'rm' ? slow : Promise.resolve());
    const first = rig.control.reset(async () => void rig.frame({ state: 'idle' }));
    await turn();
    const second = await rig.control.reset(async () => void rig.frame({ state: 'limp' }));
    expect(second?.code).toBe('reset-under-way');
    const stop = rig.control.estop('again');
    go();
    expect((await first)?.code).toBe('stopped-again');
    await stop;
    rig.frame({ state: 'idle' });
    expect(rig.control.safety.robotState).toBe('estopped');
    expect(rig.latch.latched).toBe(true);
  });

  it('reset, stop, reset, stop: the robot stays stopped, and so does the disk', async () => {
    const rig = await stopped();
    const gates: Array<() => void> = [];
    disk.before = (operation) =>
      operation === 'rm' ? new Promise<void>((resolve) => gates.push(resolve)) : Promise.resolve();
    const openGates = async () => {
      for (let round = 0; round < 10; round++) {
        for (const open of gates.splice(0)) open();
        await turn();
      }
    };
    const first = rig.control.reset(async () => void rig.frame({ state: 'idle' }));
    await turn();
    const firstStop = rig.control.estop('first');
    rig.echo(2);
    const second = rig.control.reset(async () => void rig.frame({ state: 'idle' }));
    await turn();
    for (const open of gates.splice(0)) open();
    await turn();
    const secondStop = rig.control.estop('second');
    await openGates();
    await Promise.all([first, firstStop, second, secondStop]);
    expect(rig.control.safety.robotState).toBe('estopped');
    expect(rig.latch.latched).toBe(true);
    expect(disk.files.get('/state/estop')).toContain('second');
  });
});

it('a reset on a full disk, which removes files as well as any, lets nobody arm', async () => {
  disk.before = async (operation) => {
    if (operation === 'write') throw new Error('ENOSPC');
  };
  const rig = robotControlRig({ latch: new EstopLatch('/state/estop') });
  rig.run();
  expect(await rig.control.estop('anna')).toBe(false);
  rig.echo(1);
  rig.frame({ state: 'estopped' });
  expect(await rig.control.reset(async () => void rig.frame({ state: 'idle' }))).toBeUndefined();
  rig.frames(120);
  expect(rig.enter()?.code).toContain('estop-not-persisted');
  await rig.latch.mend();
  rig.frame();
  expect(rig.enter()?.code).toContain('estop-not-persisted');
  // Somebody makes room.
  disk.before = () => Promise.resolve();
  await rig.latch.mend();
  rig.frames(120);
  expect(rig.enter()).toBeUndefined();
});
