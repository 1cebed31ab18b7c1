import fc from 'fast-check';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { type Experience, Model, type Real, recover, steps, watch } from './model.ts';
import { SafetySystem } from './safety-system.ts';
import { VirtualDisk } from './virtual-disk.ts';

const held = vi.hoisted(() => ({ disk: undefined as unknown }));
const diskOf = () => held.disk as VirtualDisk;

vi.mock('node:fs/promises', () => ({
  mkdir: () => diskOf().promises.mkdir(),
  open: (path: string) => diskOf().promises.open(path),
  rename: (from: string, to: string) => diskOf().promises.rename(from, to),
  rm: (path: string) => diskOf().promises.rm(path),
}));

vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>();
  const isVirtual = (path: unknown) => String(path).startsWith('/virtual/');
  const either = <K extends keyof VirtualDisk['sync']>(name: K) => ({
    [name]: (path: unknown, ...more: unknown[]) => {
      const call = (isVirtual(path) ? diskOf().sync[name] : fs[name]) as (...words: unknown[]) => unknown;
      return call(path, ...more);
    },
  });
  return {
    ...fs,
    ...either('mkdirSync'),
    ...either('lstatSync'),
    ...either('openSync'),
    ...either('readSync'),
    ...either('closeSync'),
  };
});

const experience: Experience = { moved: 0, stopped: 0, reset: 0, refused: 0, restartedStopped: 0 };

beforeEach(() => {
  held.disk = new VirtualDisk();
});

/** A robot that has been switched on a moment ago. */
async function begin(): Promise<{ model: Model; real: Real }> {
  const disk = new VirtualDisk();
  held.disk = disk;
  const real = { system: new SafetySystem(), disk };
  const model = new Model(experience);
  watch(model, real);
  await real.system.pass(700);
  return { model, real };
}

describe('a robot that is stopped', () => {
  it('moves again after a reset and an order by an operator, and after nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(fc.commands([...steps], { maxCommands: 60, size: '+1' }), async (commands) => {
        let run: { model: Model; real: Real } | undefined;
        const start = async () => {
          run = await begin();
          return run;
        };
        await fc.asyncModelRun(start, commands);
        if (run === undefined) return;
        // What a recovery does to every robot is no experience.
        const before = { ...experience };
        await recover(run.model, run.real);
        Object.assign(experience, before);
      }),
      { numRuns: 60 },
    );
    // A property over robots that never moved, or were never stopped, says nothing.
    for (const [what, times] of Object.entries(experience)) expect([what, times >= 8]).toEqual([what, true]);
  });
});
