import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EstopLatch } from './estop-latch.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'h2o-latch-'));
  path = join(folder, 'state', 'estop');
});
afterEach(() => rmSync(folder, { recursive: true }));

function loaded(): EstopLatch {
  const latch = new EstopLatch(path);
  latch.load();
  return latch;
}

/** The folder of the latch becomes a file: nothing can be written to it or removed from it. */
function breakDisk(): void {
  rmSync(join(folder, 'state'), { recursive: true });
  writeFileSync(join(folder, 'state'), '');
}

describe('the latch', () => {
  it('is not in force where nothing was ever stopped', () => {
    expect(loaded()).toMatchObject({ latched: false, source: '', notPersisted: false, problem: '' });
  });

  it('is in force at once, before anything is on disk', () => {
    const latch = loaded();
    latch.latch('anna');
    expect(latch).toMatchObject({ latched: true, source: 'anna', notPersisted: true });
    expect(existsSync(path)).toBe(false);
  });

  it('survives a restart once it says that it is on disk', async () => {
    const latch = loaded();
    latch.latch('anna');
    expect(await latch.persisted()).toBe(true);
    expect(latch.notPersisted).toBe(false);
    expect(loaded()).toMatchObject({ latched: true, source: 'anna', notPersisted: false });
  });

  it('found on disk counts as persisted', async () => {
    const latch = loaded();
    latch.latch('anna');
    await latch.persisted();
    const again = loaded();
    expect(await again.persisted()).toBe(true);
    expect(readFileSync(path, 'utf8')).toBe('anna\n');
  });

  it('that cannot be read is in force and says why', () => {
    mkdirSync(path, { recursive: true });
    const latch = loaded();
    expect(latch.latched).toBe(true);
    expect(latch.source).toContain(path);
  });

  it('that is empty, torn by a power cut, is in force', () => {
    mkdirSync(join(folder, 'state'));
    writeFileSync(path, '');
    expect(loaded().latched).toBe(true);
  });

  it('is in force when its folder cannot be made', () => {
    writeFileSync(join(folder, 'state'), '');
    expect(loaded().latched).toBe(true);
  });

  it('leaves no half written file behind', async () => {
    const latch = loaded();
    latch.latch('anna');
    await latch.persisted();
    expect(existsSync(`${path}.part`)).toBe(false);
  });
});

describe('what a crash may leave', () => {
  const stateFolder = () => join(folder, 'state');
  beforeEach(() => mkdirSync(stateFolder()));

  it.each([
    ['nothing but a draft', 'anna\n', 'anna'],
    ['a draft without its bytes', '', 'a stop whose file a power cut has emptied'],
    ['a draft of zeros', '\0'.repeat(4096), 'a stop whose file a power cut has emptied'],
  ])('%s is a stop', async (_, text, source) => {
    writeFileSync(`${path}.part`, text);
    const latch = loaded();
    expect(latch).toMatchObject({ latched: true, source });
    expect(await latch.release()).toBe(true);
    expect(loaded().latched).toBe(false);
  });

  it('and its first stop survives, whichever of both is newer', () => {
    writeFileSync(path, 'anna\n');
    writeFileSync(`${path}.part`, 'be');
    expect(loaded()).toMatchObject({ latched: true, source: 'anna' });
  });

  it('garbage is in force, and is shown as one short line', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1000 }), (bytes) => {
        writeFileSync(path, bytes);
        const latch = loaded();
        expect(latch.latched).toBe(true);
        expect(latch.source).toMatch(/^[\p{L}\p{N}\p{P}\p{S} ]{1,200}$/u);
      }),
    );
  });

  it('a link to nowhere, a link to itself and a pipe are in force', () => {
    const make = [
      () => symlinkSync(join(folder, 'nothing'), path),
      () => symlinkSync(path, path),
      () => spawnSync('mkfifo', [path]),
    ];
    for (const one of make) {
      one();
      expect(loaded().latched).toBe(true);
      rmSync(path);
    }
    expect(loaded().latched).toBe(false);
  });
});

describe('a trial of the disk', () => {
  it('says that a stop could be written, and leaves nothing behind', async () => {
    const latch = loaded();
    const trial = latch.probe();
    expect(latch.unwritable).toBe(true);
    expect(await trial).toBe(true);
    expect(latch).toMatchObject({ unwritable: false, latched: false, problem: '' });
    expect(readdirSync(join(folder, 'state'))).toEqual([]);
  });

  it('says that it could not, and why, until it can', async () => {
    const latch = loaded();
    breakDisk();
    expect(await latch.probe()).toBe(false);
    expect(latch).toMatchObject({ unwritable: true, latched: false });
    expect(latch.problem).not.toBe('');
    await latch.mend();
    expect(latch.unwritable).toBe(true);
    rmSync(join(folder, 'state'));
    await latch.mend();
    expect(latch).toMatchObject({ unwritable: false, problem: '' });
  });

  it('that comes with a stop in force puts the stop on disk', async () => {
    const latch = loaded();
    breakDisk();
    latch.latch('anna');
    await latch.persisted();
    rmSync(join(folder, 'state'));
    await latch.mend();
    expect(latch).toMatchObject({ notPersisted: false, unwritable: false });
    expect(loaded()).toMatchObject({ latched: true, source: 'anna' });
  });
});

describe('a write that fails', () => {
  it('is told, with the reason, and the stop stays in force', async () => {
    const latch = loaded();
    breakDisk();
    latch.latch('anna');
    expect(await latch.persisted()).toBe(false);
    expect(latch).toMatchObject({ latched: true, notPersisted: true });
    expect(latch.problem).not.toBe('');
  });

  it('is made good by the next stop after the disk was mended', async () => {
    const latch = loaded();
    breakDisk();
    latch.latch('anna');
    await latch.persisted();
    rmSync(join(folder, 'state'));
    latch.latch('bert');
    expect(await latch.persisted()).toBe(true);
    expect(latch).toMatchObject({ notPersisted: false, problem: '' });
    expect(loaded().source).toBe('bert');
  });
});

describe('many who wait for one stop', () => {
  it('cost one write', async () => {
    const latch = loaded();
    latch.latch('anna');
    const first = latch.persisted();
    const waits = Array.from({ length: 1000 }, () => latch.persisted());
    expect(new Set([first, ...waits]).size).toBe(1);
    expect(await Promise.all(waits)).toEqual(waits.map(() => true));
    const written = statSync(path).ino;
    await latch.persisted();
    expect(statSync(path).ino).toBe(written);
  });

  it('of a newer stop are told of the newer write', async () => {
    const latch = loaded();
    latch.latch('anna');
    const first = latch.persisted();
    latch.latch('bert');
    await Promise.all([first, latch.persisted()]);
    expect(loaded().source).toBe('bert');
  });
});

describe('a release', () => {
  it('takes the latch off disk and out of memory', async () => {
    const latch = loaded();
    latch.latch('anna');
    await latch.persisted();
    expect(await latch.release()).toBe(true);
    expect(latch).toMatchObject({ latched: false, source: '', notPersisted: false });
    expect(loaded().latched).toBe(false);
  });

  it('comes after a write that is still under way', async () => {
    const latch = loaded();
    latch.latch('anna');
    const written = latch.persisted();
    expect(await latch.release()).toBe(true);
    expect(await written).toBe(true);
    expect(loaded().latched).toBe(false);
  });

  it('releases nothing when a newer stop has overtaken it, and the newer stop is on disk in the end', async () => {
    const latch = loaded();
    latch.latch('anna');
    await latch.persisted();
    const released = latch.release();
    latch.latch('bert');
    const written = latch.persisted();
    expect(await released).toBe(false);
    expect(latch).toMatchObject({ latched: true, source: 'bert' });
    expect(await written).toBe(true);
    expect(loaded()).toMatchObject({ latched: true, source: 'bert' });
  });

  it('that the disk refuses leaves the latch in force and says why', async () => {
    const latch = loaded();
    latch.latch('anna');
    await latch.persisted();
    breakDisk();
    expect(await latch.release()).toBe(false);
    expect(latch.latched).toBe(true);
    expect(latch.problem).not.toBe('');
  });

  it('lets the next stop be written again', async () => {
    const latch = loaded();
    latch.latch('anna');
    await latch.persisted();
    await latch.release();
    latch.latch('bert');
    expect(await latch.persisted()).toBe(true);
    expect(loaded().source).toBe('bert');
  });
});
