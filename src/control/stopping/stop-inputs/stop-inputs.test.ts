import { spawnSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { StopInputs } from './stop-inputs.ts';

/** A file system whose looks at a path do not come back while a test says so. */
const disk = vi.hoisted(() => ({ hangs: false }));

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  return { ...real, stat: (path: string) => (disk.hangs ? new Promise(() => {}) : real.stat(path)) };
});

let folder: string;
let stops: string[];
let changes: Array<{ path: string; open: boolean }>;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'h2o-inputs-'));
  stops = [];
  changes = [];
  disk.hangs = false;
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true });
});

/** Named pipes that are read, and how to write to one. */
async function pipes(...names: string[]) {
  const paths = names.map((name) => join(folder, name));
  expect(spawnSync('mkfifo', paths).status).toBe(0);
  const inputs = new StopInputs({
    inputs: paths.map((path) => ({ path, kind: 'auto', buttons: [], confirmButtons: [] })),
    onConfirm: () => {},
    onStop: (source) => void stops.push(source),
    onChange: (change) => void changes.push(change),
  });
  onTestFinished(() => inputs.stop());
  inputs.start();
  expect(inputs.anyLost).toBe(true);
  while (inputs.anyLost) await turn();
  const write = (name: string, text: string) => {
    const descriptor = openSync(join(folder, name), constants.O_WRONLY | constants.O_NONBLOCK);
    writeSync(descriptor, text);
    closeSync(descriptor);
  };
  return { inputs, write };
}

describe('the stop inputs', () => {
  it('are read every few milliseconds, each of them, and what changes is told once', async () => {
    const { write } = await pipes('a', 'b');
    expect(changes).toMatchObject([{ open: true }, { open: true }]);
    vi.advanceTimersByTime(100);
    expect(stops).toEqual([]);
    write('b', 'x');
    vi.advanceTimersByTime(5);
    expect(stops).toEqual([`${join(folder, 'b')}: written to`]);
    vi.advanceTimersByTime(1000);
    expect(changes).toHaveLength(2);
    expect(stops).toHaveLength(1);
  });

  it('count as lost when a look at one does not come back, and are read all the same', async () => {
    const { inputs, write } = await pipes('a', 'b');
    disk.hangs = true;
    vi.advanceTimersByTime(3000);
    expect(inputs.anyLost).toBe(false);
    vi.advanceTimersByTime(1000);
    expect(inputs.anyLost).toBe(true);
    write('a', 'x');
    vi.advanceTimersByTime(5);
    expect(stops).toHaveLength(1);
    // Nor does it keep control from ending.
    await inputs.stop();
  });

  it('that are none cost nothing: no timer runs', () => {
    const inputs = new StopInputs({ inputs: [], onStop: () => {}, onConfirm: () => {}, onChange: () => {} });
    inputs.start();
    expect(vi.getTimerCount()).toBe(0);
    expect(inputs.anyLost).toBe(false);
  });
});
