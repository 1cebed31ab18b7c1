import { readdirSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { acknowledge, acknowledgement } from './acknowledged.ts';
import { recording, rowsIn, temporaryFolder, until } from './recording.testing.ts';
import { bySequence, isSegment } from './segment-name.ts';
import { readEvents } from './segment-reader.ts';
import { verifyDirectory } from './verify.ts';

const SEGMENT = 50_000;
const LIMITS = { segmentBytes: SEGMENT, minimumFreeBytes: 0, budgetBytes: 6 * SEGMENT };
/** more than one segment */
const PORTION = 300;

const segmentsIn = (directory: string) => readdirSync(directory).filter(isSegment).sort(bySequence);
const bytesIn = (directory: string) =>
  segmentsIn(directory).reduce((sum, file) => sum + statSync(join(directory, file)).size, 0);

async function acknowledgeOne(directory: string, file: string): Promise<void> {
  const path = join(directory, file);
  await acknowledge(path, { sha256: '0'.repeat(64), bytes: statSync(path).size, by: 'a test', at: '2026-01-01' });
}

/** Ages that tell segments apart: files that a test writes are all of the same moment. */
function inOrder(directory: string): void {
  for (const [index, file] of segmentsIn(directory).entries()) utimesSync(join(directory, file), index + 1, index + 1);
}

type Kit = Awaited<ReturnType<typeof recording>>;

/** Rows until the recorder stops, a portion at a time. @returns the last row that was offered */
async function fill({ recorder, clock, rows }: Kit, from = 1, portions = 12): Promise<number> {
  let last = from - 1;
  for (let portion = 0; portion < portions && recorder.problem === undefined; portion++) {
    rows(last + 1, last + PORTION);
    last += PORTION;
    clock.advance(1000);
    await recorder.flush();
  }
  return last;
}

const dropsIn = async (directory: string) => {
  const drops: Record<string, unknown>[] = [];
  for (const file of segmentsIn(directory)) {
    for await (const { event } of readEvents(join(directory, file))) {
      if (event.event === 'segments-dropped') drops.push(event);
    }
  }
  return drops;
};

describe('a budget that is used up', () => {
  it('stops the recording, which keeps what it has and goes on when there is room', async () => {
    const kit = await recording(temporaryFolder(), LIMITS);
    const { directory, recorder, clock, durable, problems } = kit;
    const last = await fill(kit);
    expect(problems).toEqual(['disk-full']);
    expect(recorder.problem?.message).toContain(`budget of ${LIMITS.budgetBytes} bytes`);
    expect(bytesIn(directory)).toBeLessThan(LIMITS.budgetBytes + 3 * SEGMENT);
    const stored = segmentsIn(directory);
    expect((await verifyDirectory(directory)).rows).toBe(durable.at(-1));
    // Nobody has it: it is not given up, also not at another look.
    clock.advance(5000);
    await recorder.flush();
    expect(segmentsIn(directory)).toEqual(stored);
    for (const file of stored.slice(0, 3)) await kit.disk.remove(join(directory, file));
    clock.advance(5000);
    await until(() => recorder.problem === undefined);
    await recorder.flush();
    expect(durable.at(-1)).toBe(last);
  });

  it('with drop-oldest-acknowledged costs the oldest that somebody else has, and says so', async () => {
    const kit = await recording(temporaryFolder(), { ...LIMITS, whenFull: 'drop-oldest-acknowledged' });
    const { directory, recorder } = kit;
    const before = await fill(kit, 1, 3);
    inOrder(directory);
    const [first = '', second = '', third = ''] = segmentsIn(directory);
    await acknowledgeOne(directory, second);
    await acknowledgeOne(directory, third);
    const last = await fill(kit, before + 1);
    // Both that could go have gone, the one that nobody else has is there, and then recording stopped.
    expect(recorder.problem?.kind).toBe('disk-full');
    expect(last).toBeGreaterThan(before + PORTION);
    expect(segmentsIn(directory)).toContain(first);
    expect(readdirSync(directory).filter((file) => [second, third].includes(file))).toEqual([]);
    expect(readdirSync(directory).filter((file) => file.endsWith('.acknowledged'))).toEqual([]);
    expect(recorder.counters.segmentsDropped).toBe(2);
    const dropped = (await dropsIn(directory)).flatMap(({ files }) => files);
    expect(dropped).toEqual([second, third].slice(0, dropped.length));
    expect(dropped).not.toHaveLength(0);
  });

  it('with drop-oldest never stops: acknowledged ones go first, then the oldest, and it is said that nobody has them', async () => {
    const kit = await recording(temporaryFolder(), { ...LIMITS, whenFull: 'drop-oldest' });
    const { directory, recorder, durable } = kit;
    const before = await fill(kit, 1, 3);
    inOrder(directory);
    const [, second = ''] = segmentsIn(directory);
    await acknowledgeOne(directory, second);
    const last = await fill(kit, before + 1, 20);
    expect(recorder.problem).toBeUndefined();
    expect(durable.at(-1)).toBe(last);
    await recorder.stop();
    expect(bytesIn(directory)).toBeLessThan(LIMITS.budgetBytes + 3 * SEGMENT);
    expect(recorder.counters.segmentsDropped).toBeGreaterThan(5);
    expect((await dropsIn(directory)).some(({ unacknowledged }) => unacknowledged === 1)).toBe(true);
    // What is left is whole, to the last row.
    const report = await verifyDirectory(directory);
    expect(report).toMatchObject({ ok: true, gaps: 0 });
    expect((await rowsIn(join(directory, segmentsIn(directory).at(-1) ?? ''))).at(-1)).toBe(last);
  });

  it('also counts what others leave free', async () => {
    const limits = { ...LIMITS, budgetBytes: Number.POSITIVE_INFINITY, minimumFreeBytes: 1 << 20 };
    const kit = await recording(temporaryFolder(), { ...limits, whenFull: 'drop-oldest-acknowledged' });
    const { directory, recorder, disk } = kit;
    const before = await fill(kit, 1, 3);
    for (const file of segmentsIn(directory)) if (file.endsWith('.mcap')) await acknowledgeOne(directory, file);
    disk.room = 1 << 19;
    await fill(kit, before + 1, 1);
    expect(recorder.counters.segmentsDropped).toBeGreaterThanOrEqual(3);
    // The disk of this test does not become emptier by it.
    expect(recorder.problem?.message).toContain('free');
  });
});

describe('segments that are too old', () => {
  const limits = { ...LIMITS, budgetBytes: Number.POSITIVE_INFINITY, keepSeconds: 3600 };

  it('go when somebody else has them', async () => {
    const kit = await recording(temporaryFolder(), limits);
    const { directory, recorder, clock } = kit;
    await fill(kit, 1, 3);
    const [first = '', second = '', third = ''] = segmentsIn(directory);
    const now = Number(clock.wallNs() / 1_000_000_000n);
    for (const file of segmentsIn(directory)) utimesSync(join(directory, file), now, now);
    utimesSync(join(directory, first), now - 4000, now - 4000);
    utimesSync(join(directory, second), now - 4000, now - 4000);
    await acknowledgeOne(directory, second);
    await acknowledgeOne(directory, third);
    await fill(kit, 1000, 2);
    await recorder.stop();
    expect(segmentsIn(directory)).toEqual(expect.arrayContaining([first, third]));
    expect(segmentsIn(directory)).not.toContain(second);
    expect(await dropsIn(directory)).toMatchObject([{ files: [second], unacknowledged: 0, why: 'age' }]);
  });
});

describe('an acknowledgement', () => {
  it('is of these bytes only', async () => {
    const kit = await recording();
    kit.rows(1, 10);
    await kit.recorder.stop();
    const [file = ''] = segmentsIn(kit.directory);
    const path = join(kit.directory, file);
    const { size } = statSync(path);
    expect(await acknowledgement(path, size)).toBeUndefined();
    await acknowledgeOne(kit.directory, file);
    expect(await acknowledgement(path, size)).toMatchObject({ by: 'a test' });
    expect(await acknowledgement(path, size - 1)).toBeUndefined();
    // Not taken for a segment by anything that looks for some.
    expect(await verifyDirectory(kit.directory)).toMatchObject({ segments: 1, ok: true });
  });

  it('go sooner when somebody has them, if that was asked for; what nobody has stays', async () => {
    const unlimited = Number.POSITIVE_INFINITY;
    const sooner = { ...LIMITS, budgetBytes: unlimited, keepSeconds: unlimited, keepAcknowledgedSeconds: 600 };
    const kit = await recording(temporaryFolder(), sooner);
    const { directory, recorder, clock } = kit;
    await fill(kit, 1, 2);
    const [first = '', second = ''] = segmentsIn(directory);
    const then = Number(clock.wallNs() / 1_000_000_000n) - 1000;
    for (const file of [first, second]) utimesSync(join(directory, file), then, then);
    await acknowledgeOne(directory, second);
    await fill(kit, 1000, 2);
    await recorder.stop();
    expect(segmentsIn(directory)).toContain(first);
    expect(segmentsIn(directory)).not.toContain(second);
  });
});
