import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AuditFiles, CURRENT, readAuditLines } from './audit-files.ts';
import { AuditLog, type AuditLogOptions, MOST_WAITING } from './audit-log.ts';
import { readLine } from './chain.ts';
import { checkChain } from './check-chain.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'h2o-audit-'));
});
const logs: AuditLog[] = [];
afterEach(async () => {
  await Promise.all(logs.splice(0).map((log) => log.stop(5000)));
  rmSync(folder, { recursive: true });
});

const path = () => join(folder, CURRENT);

function logOf(over: Partial<AuditLogOptions> = {}): AuditLog {
  const log = new AuditLog({
    files: new AuditFiles(folder),
    boot: 'b00t',
    now: () => performance.now(),
    wall: Date.now,
    keepBytes: 64e6,
    pause: async (milliseconds) => await new Promise((resolve) => setTimeout(resolve, Math.min(milliseconds, 5))),
    ...over,
  });
  logs.push(log);
  return log;
}

/** Waits for a condition; the disk takes its time. */
async function until(isSo: () => boolean): Promise<void> {
  for (let look = 0; look < 5000 && !isSo(); look++) await new Promise((resolve) => setTimeout(resolve, 2));
  expect(isSo()).toBe(true);
}

const written = (log: AuditLog, count: number) => until(() => log.counters.written >= count);

async function report() {
  const { lines } = await readAuditLines(folder);
  return checkChain(lines);
}

async function entries() {
  const { lines } = await readAuditLines(folder);
  return lines.flatMap(({ text }) => {
    const entry = readLine(text);
    return typeof entry === 'string' ? [] : [entry];
  });
}

/** What control writes in one life. */
async function life(...events: string[]): Promise<AuditLog> {
  const log = logOf();
  for (const event of events) log.record(event, '');
  await written(log, events.length);
  return log;
}

describe('the audit log', () => {
  it('is a chain over all lives of control', async () => {
    await life('one', 'two');
    const log = await life('three');
    expect(await report()).toMatchObject({ ok: true, entries: 3, head: log.head });
    expect((await entries()).map(({ event }) => event)).toEqual(['one', 'two', 'three']);
  });

  it('keeps the order in which things happened, however many come at once', async () => {
    await life(...Array.from({ length: 300 }, (_, index) => `${index}`));
    expect((await entries()).map(({ event }) => Number(event))).toEqual(
      Array.from({ length: 300 }, (_, index) => index),
    );
  });

  it('writes nothing in the turn of the event loop in which something is recorded', async () => {
    const calls: string[] = [];
    const files = new Proxy(new AuditFiles(folder), {
      get: (target, key) => {
        calls.push(String(key));
        const value = Reflect.get(target, key);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const log = logOf({ files });
    log.record('stop', 'anna');
    expect(calls).toEqual([]);
    await written(log, 1);
  });
});

describe('a last line that a crash has torn', () => {
  it('is repaired with an entry that says what was there, wherever it was torn', async () => {
    await life('one', 'two', 'three');
    const whole = readFileSync(path());
    const lastLine = whole.lastIndexOf(0x0a, whole.length - 2) + 1;
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: lastLine + 1, max: whole.length - 1 }), async (length) => {
        writeFileSync(path(), whole.subarray(0, length));
        const log = logOf();
        log.record('four', '');
        await written(log, 2);
        expect(await report()).toMatchObject({ ok: true, repairs: 1, entries: 4 });
        const torn = whole.subarray(lastLine, length);
        expect((await entries()).map(({ event }) => event)).toEqual(['one', 'two', 'audit-repaired', 'four']);
        expect((await entries())[2]?.details).toMatchObject({
          bytes: torn.length,
          text: torn.toString().slice(0, 500),
        });
      }),
      { numRuns: 30 },
    );
  });

  it('that is longer than what comes after it leaves nothing behind', async () => {
    await life('one');
    appendFileSync(path(), Buffer.alloc(20_000, 0));
    const log = logOf();
    log.record('two', '');
    await written(log, 2);
    expect(await report()).toMatchObject({ ok: true, repairs: 1, entries: 3 });
    expect((await readAuditLines(folder)).tornBytes).toBe(0);
  });

  it('in a file that holds nothing else is repaired as well', async () => {
    writeFileSync(path(), '{"index":0,');
    await life('one', 'two');
    expect(await report()).toMatchObject({ ok: true, repairs: 1, entries: 3 });
  });
});

describe('whole lines that are no entries', () => {
  it('are left as they are, are told, and are found', async () => {
    await life('one', 'two');
    appendFileSync(path(), 'somebody was here\n');
    await life('three');
    const { problem } = await report();
    expect(problem).toMatchObject({ damage: 'inserted', line: 3 });
    expect((await entries()).map(({ event }) => event)).toContain('audit-strange-lines');
  });
});

describe('a file that is taken away while it is written', () => {
  it('is told by the next entry, and found by whoever follows the chain', async () => {
    const log = await life('one', 'two');
    rmSync(path());
    log.record('three', '');
    await written(log, 4);
    expect((await entries()).map(({ event }) => event)).toEqual(['three', 'audit-file-taken']);
    expect((await report()).problem).toMatchObject({ damage: 'removed' });
  });

  it('or put back from a copy, is found as well', async () => {
    const log = await life('one', 'two');
    const copy = readFileSync(path());
    log.record('three', '');
    await written(log, 3);
    writeFileSync(`${path()}.copy`, copy);
    renameSync(`${path()}.copy`, path());
    log.record('four', '');
    await written(log, 5);
    expect((await report()).problem).toMatchObject({ damage: 'removed' });
  });

  it('or cut, is found as well', async () => {
    const log = await life('one', 'two', 'three');
    truncateSync(path(), 10);
    log.record('four', '');
    await written(log, 4);
    expect((await report()).ok).toBe(false);
  });
});

describe('rotation', () => {
  it('goes on with the chain from file to file, keeps what was asked for and says what was given up', async () => {
    const keepBytes = 8 * (64 << 10);
    const log = logOf({ keepBytes });
    for (let count = 0; count < 200; count++) {
      for (let entry = 0; entry < 40; entry++) log.record('filler', 'anna', { text: 'x'.repeat(150), count, entry });
      await written(log, 40 * (count + 1));
    }
    await log.settled();
    const sizes = readdirSync(folder).map((name) => statSync(join(folder, name)).size);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    expect(total).toBeGreaterThanOrEqual(keepBytes);
    expect(total).toBeLessThan(1.4 * keepBytes);
    const found = await report();
    expect(found).toMatchObject({ ok: true, head: log.head });
    expect(found.first).toBeGreaterThan(0);
    expect((await entries()).some(({ event }) => event === 'audit-pruned')).toBe(true);
    // One file less is a gap.
    const [, second = ''] = readdirSync(folder).sort();
    rmSync(join(folder, second));
    expect((await report()).problem).toMatchObject({ damage: 'removed' });
  });

  it('survives a crash between its steps, and no entry is there twice', async () => {
    await life('one', 'two');
    const { linkSync } = await import('node:fs');
    linkSync(path(), join(folder, 'audit-000000000000.jsonl'));
    expect(await report()).toMatchObject({ ok: true, entries: 2 });
    await life('three');
    expect(await report()).toMatchObject({ ok: true, entries: 3 });
    // Cut off after the second name was taken away.
    rmSync(path());
    await life('four');
    expect(await report()).toMatchObject({ ok: true, entries: 4 });
  });
});

/** A disk that does what a test says, over the real one. */
function troubledDisk() {
  const files = new AuditFiles(folder);
  let failing = '';
  let holding: Promise<void> | undefined;
  return {
    files: {
      get bytes() {
        return files.bytes;
      },
      open: () => files.open(),
      append: async (text: string) => {
        await holding;
        if (failing !== '') throw new Error(failing);
        return await files.append(text);
      },
      rotate: () => files.rotate(),
      tooOld: (keep: number) => files.tooOld(keep),
      remove: (names: readonly string[]) => files.remove(names),
      close: () => files.close(),
    },
    fail(problem: string) {
      failing = problem;
    },
    /** @returns lets go */
    hold(): () => void {
      let release = () => {};
      holding = new Promise((resolve) => {
        release = resolve;
      });
      return release;
    },
  };
}

describe('a disk that is dead or slow', () => {
  it('costs entries, which are counted, and says so in the log when it works again', async () => {
    const disk = troubledDisk();
    let clock = 0;
    const log = logOf({ files: disk.files, now: () => clock });
    const release = disk.hold();
    for (let count = 0; count < MOST_WAITING + 1000; count++) log.record(count % 2 === 0 ? 'even' : 'odd', '');
    expect(log.counters.dropped).toBe(1000);
    await new Promise((resolve) => setTimeout(resolve, 20));
    clock += 10_000;
    expect(log.problem).toMatch(/slow/);
    release();
    await written(log, MOST_WAITING + 1);
    log.record('after', '');
    await written(log, MOST_WAITING + 2);
    expect(log.problem).toBe('');
    const found = await report();
    expect(found).toMatchObject({ ok: true, dropped: 1000 });
    const told = await entries();
    const dropped = told.findIndex(({ event }) => event === 'audit-dropped');
    expect(told[dropped]?.details).toMatchObject({ count: 1000, events: { even: 500, odd: 500 } });
    expect(told.at(-1)?.event).toBe('after');
  });

  it('is tried again until it works, and nothing is there twice', async () => {
    const disk = troubledDisk();
    const problems: string[] = [];
    const log = logOf({ files: disk.files, onProblem: (problem) => void problems.push(problem) });
    log.record('one', '');
    await written(log, 1);
    disk.fail('ENOSPC: no space left on device');
    log.record('two', '');
    await until(() => log.counters.failures > 2);
    expect(log.problem).toMatch(/ENOSPC/);
    expect(log.head?.index).toBe(0);
    disk.fail('');
    await written(log, 2);
    expect(problems).toEqual([expect.stringMatching(/ENOSPC/), '']);
    expect((await entries()).map(({ event }) => event)).toEqual(['one', 'two']);
  });

  it('keeps nobody waiting for longer than was agreed when control ends', async () => {
    const disk = troubledDisk();
    const log = logOf({ files: disk.files });
    disk.hold();
    log.record('one', '');
    await log.stop(10);
    expect(log.counters.written).toBe(0);
  });

  it('whatever it does and whenever, what is on it is a whole chain in order, and nothing is lost without a word', async () => {
    const action = fc.oneof(
      fc.record({ kind: fc.constant('record' as const), count: fc.integer({ min: 1, max: 700 }) }),
      fc.record({ kind: fc.constantFrom('fail' as const, 'work' as const, 'hold' as const, 'pause' as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 12 }), async (actions) => {
        for (const name of readdirSync(folder)) rmSync(join(folder, name));
        const disk = troubledDisk();
        const log = logOf({ files: disk.files });
        let release = () => {};
        let count = 0;
        for (const one of actions) {
          if (one.kind === 'record') for (let n = 0; n < one.count; n++) log.record('event', '', { number: count++ });
          if (one.kind === 'fail') disk.fail('EIO');
          if (one.kind === 'work') disk.fail('');
          if (one.kind === 'hold') {
            release();
            release = disk.hold();
          }
          if (one.kind === 'pause') await new Promise((resolve) => setTimeout(resolve, 3));
        }
        disk.fail('');
        release();
        log.record('last', '');
        // It may find no room, and is then counted.
        await log.settled();
        const found = await report();
        expect(found.ok).toBe(true);
        const numbers = (await entries()).flatMap(({ details }) =>
          typeof details.number === 'number' ? [details.number] : [],
        );
        expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
        expect(numbers.length + log.counters.dropped).toBeGreaterThanOrEqual(count);
        expect(found.dropped).toBe(log.counters.dropped);
      }),
      { numRuns: 25 },
    );
  });
});
