import fc from 'fast-check';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { robotControlRig } from '../control-rig.testing.ts';
import { EstopLatch } from './estop-latch.ts';

/** A disk whose every operation takes as long as a test says, and what is on it. */
const disk = vi.hoisted(() => ({
  files: new Map<string, string>(),
  pause: (_operation: string): Promise<unknown> => Promise.resolve(),
}));

vi.mock('node:fs/promises', () => ({
  mkdir: () => disk.pause('mkdir'),
  open: async (path: string) => {
    await disk.pause('open');
    return {
      writeFile: async (text: string) => {
        await disk.pause('write');
        disk.files.set(path, text);
      },
      datasync: () => disk.pause('datasync'),
      sync: () => disk.pause('sync'),
      close: () => disk.pause('close'),
    };
  },
  rename: async (from: string, to: string) => {
    await disk.pause('rename');
    disk.files.set(to, disk.files.get(from) ?? '');
    disk.files.delete(from);
  },
  rm: async (path: string) => {
    await disk.pause('rm');
    disk.files.delete(path);
  },
}));

const PATH = '/state/estop';

beforeEach(() => {
  disk.files.clear();
  disk.pause = () => Promise.resolve();
});

/** A robot that was stopped and whose MCU has followed. */
async function stopped() {
  const rig = robotControlRig({ latch: new EstopLatch(PATH) });
  rig.run();
  await rig.control.estop('before');
  rig.echo(1);
  rig.frame({ state: 'estopped' });
  return rig;
}

type Rig = Awaited<ReturnType<typeof stopped>>;

/** Stopped for good: in memory, on disk, and what the MCU was told last was to stop. */
function expectStopped(rig: Rig): void {
  rig.frame({ state: 'idle' });
  expect(rig.control.safety.robotState).toBe('estopped');
  expect(rig.latch).toMatchObject({ latched: true, source: 'again', notPersisted: false });
  expect(disk.files.get(PATH)).toBe('again\n');
  expect(rig.tap.kinds.filter((kind) => kind === 'estop' || kind === 'clear').at(-1)).toBe('estop');
}

describe('a stop while a reset is under way', () => {
  it('wins, whenever it comes between the steps of the reset and of the disk', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), async (scheduler) => {
        disk.files.clear();
        disk.pause = () => Promise.resolve();
        const rig = await stopped();
        disk.pause = (operation) => scheduler.schedule(Promise.resolve(), operation);
        const reset = rig.control.reset(async () => {
          await scheduler.schedule(Promise.resolve(), 'settling');
          rig.frame({ state: 'idle' });
          await scheduler.schedule(Promise.resolve(), 'settled');
        });
        const stop = scheduler.schedule(Promise.resolve(), 'stop').then(() => rig.control.estop('again'));
        const frames = scheduler.schedule(Promise.resolve(), 'frame').then(() => void rig.frame({ state: 'idle' }));
        await scheduler.waitFor(Promise.all([reset, stop, frames]));
        await scheduler.waitIdle();
        disk.pause = () => Promise.resolve();
        expect(await stop).toBe(true);
        expectStopped(rig);
      }),
      { numRuns: 300 },
    );
  });

  it.each(Array.from({ length: 40 }, (_, turns) => turns))(
    'wins %i microtasks after the reset began',
    async (turns) => {
      const rig = await stopped();
      const reset = rig.control.reset(async () => void rig.frame({ state: 'idle' }));
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      const persisted = rig.control.estop('again');
      await reset;
      expect(await persisted).toBe(true);
      expectStopped(rig);
    },
  );

  it('is told to whoever asked for the reset', async () => {
    const rig = await stopped();
    const refusal = await rig.control.reset(async () => {
      rig.frame({ state: 'idle' });
      void rig.control.estop('again');
    });
    expect(refusal).toMatchObject({ code: 'stopped-again' });
  });

  it('is told also when it comes during the removal from disk', async () => {
    const rig = await stopped();
    disk.pause = async (operation) => {
      if (operation === 'rm') void rig.control.estop('again');
    };
    expect(await rig.control.reset(async () => void rig.frame({ state: 'idle' }))).toMatchObject({
      code: 'stopped-again',
    });
    await rig.latch.persisted();
    expectStopped(rig);
  });

  it('ends the clearing: no clear goes out after it', async () => {
    const rig = await stopped();
    await rig.control.reset(async () => {
      rig.frame({ state: 'estopped' });
      void rig.control.estop('again');
      const clears = rig.tap.count('clear');
      rig.frames(50, { state: 'estopped' });
      expect(rig.tap.count('clear')).toBe(clears);
    });
  });
});

describe('a stop', () => {
  it('is on the wire while the disk hangs', async () => {
    const rig = robotControlRig({ latch: new EstopLatch(PATH) });
    rig.run();
    disk.pause = () => new Promise(() => {});
    void rig.control.estop('again');
    expect(rig.tap.kinds.at(-1)).toBe('estop');
    expect(rig.control.safety.robotState).toBe('estopped');
    rig.frames(3, { state: 'estopped' });
    expect(rig.latch.notPersisted).toBe(true);
  });

  it('touches the disk only after its frame has gone out', () => {
    const rig = robotControlRig({ latch: new EstopLatch(PATH) });
    rig.run();
    const order: string[] = [];
    disk.pause = async (operation) => void order.push(operation);
    const write = rig.tap.write;
    rig.session.send = (message) => {
      order.push(message.kind);
      return write(new Uint8Array());
    };
    void rig.control.estop('again');
    expect(order[0]).toBe('estop');
  });

  it('is called on disk only after the file is whole and the folder knows its name', async () => {
    const latch = new EstopLatch(PATH);
    const order: string[] = [];
    disk.pause = async (operation) => void order.push(`${operation}${latch.notPersisted ? '' : ' too late'}`);
    latch.latch('again');
    await latch.persisted();
    const steps = order.filter((operation) => operation !== 'open' && operation !== 'close' && operation !== 'mkdir');
    expect(steps).toEqual(['write', 'datasync', 'rename', 'sync']);
  });

  it('is not called on disk by the write of an older one', async () => {
    const latch = new EstopLatch(PATH);
    latch.latch('before');
    disk.pause = async (operation) => {
      if (operation === 'datasync' && latch.source === 'before') latch.latch('again');
    };
    await latch.persisted();
    expect(latch).toMatchObject({ source: 'again', notPersisted: true });
    expect(await latch.persisted()).toBe(true);
    expect(latch.notPersisted).toBe(false);
  });
});
