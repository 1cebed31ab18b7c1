import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { generateKeyPair } from '../../src/keys/key-pair.ts';
import { flipBit } from '../../src/messages/tape.testing.ts';
import { decodeTapeBlock, encodeTapeBlock } from '../../src/messages/tape-block.ts';
import { temporaryFolder as folderUntil } from '../../src/recording/recording.testing.ts';
import { isSegment } from '../../src/recording/segment-name.ts';
import { modelsDirectory } from '../../src/robot/robot.ts';
import { writeNonFiniteBundle } from '../bundles.ts';
import {
  h2oEdge,
  lastLine,
  MOVE_BY_POLICY,
  SHIPPED_POLICIES,
  STAND,
  STAND_BY_POLICY,
  temporaryFolder,
} from '../harness.ts';
import { type Chapter, recordRun } from './recorded.ts';

const CHAPTERS: readonly Chapter[] = [
  [STAND_BY_POLICY, 1000],
  [STAND, 60],
  [STAND_BY_POLICY, 300],
];
/** Where in the payload of `sensors` the low byte of the pitch rate is. */
const PITCH_RATE = 5;

/** Another task in the middle is none of that policy's business. */
const WITH_ANOTHER_TASK: readonly Chapter[] = [
  [STAND_BY_POLICY, 100],
  [MOVE_BY_POLICY, 100],
  [STAND_BY_POLICY, 100],
];

let recordings = '';

beforeAll(async () => {
  recordings = folderUntil((remove) => void removals.push(remove));
  await recordRun(recordings, CHAPTERS);
  return () => {
    for (const remove of removals) remove();
  };
});
const removals: Array<() => void> = [];

const replay = (...words: string[]) => h2oEdge(['replay', ...words, '--json']);

describe('h2o-edge replay', () => {
  it('computes every command of a run under a policy by ONNX Runtime again, bit for bit', async () => {
    const finished = await replay(recordings);
    expect(lastLine(finished)).toMatchObject({
      ok: true,
      runs: 1,
      frames: 1500,
      commands: 1500,
      rows: 1499,
      mismatches: 0,
      rowsNotReplayed: 0,
      first: null,
      robotDiffers: [],
      skipped: [],
    });
    expect(finished.code).toBe(0);
  });

  it('says the same to people', async () => {
    const { code, stdout } = await h2oEdge(['replay', recordings]);
    expect(stdout).toContain('1500 commands computed again, 0 differ; 1499 rows, 0 differ');
    expect(code).toBe(0);
  });

  it('names the number of the robot that is another one now, and the first command that it changes', async () => {
    const folder = temporaryFolder();
    const shipped = readFileSync(join(modelsDirectory, 'robots', 'wheel-legged.yaml'), 'utf8');
    const changed = shipped.replace(/(wheelTorqueSlew: \{ value: )[\d.]+/, '$15');
    expect(changed).not.toBe(shipped);
    copyFileSync(join(modelsDirectory, 'robots', 'wheel-legged.xml'), join(folder, 'wheel-legged.xml'));
    writeFileSync(join(folder, 'other.yaml'), changed);
    const finished = await replay(recordings, '--robot', join(folder, 'other.yaml'));
    const report = lastLine(finished);
    expect(report).toMatchObject({ ok: false, robotDiffers: [{ key: 'limits.wheelTorqueSlew', given: 5 }] });
    expect(report.first).toMatchObject({ what: 'command', differs: { wheelTorque: {} } });
    expect(finished.code).toBe(1);
    expect(finished.stderr).toContain('come out otherwise');
  });

  it('finds a bit that was flipped in a sensor frame, although every sum of the file is right', async () => {
    const folder = temporaryFolder();
    await recordRun(folder, CHAPTERS, (bytes, number) => {
      const block = decodeTapeBlock(bytes);
      if (number !== 12n || !block) return bytes;
      return encodeTapeBlock({ ...block, records: flipBit(block.records, { frame: 7, byte: PITCH_RATE, bit: 6 }) });
    });
    expect((await h2oEdge(['dataset', 'verify', folder])).code).toBe(0);
    const finished = await replay(folder);
    expect(finished.code).toBe(1);
    const report = lastLine(finished) as { ok: boolean; first: { sequence: number } };
    expect(report.ok).toBe(false);
    // That frame's command, or the row before, which ends with it.
    expect([246, 247]).toContain(report.first.sequence);
  });

  it('begins anew after blocks that are missing, and counts what it could not replay', async () => {
    const folder = temporaryFolder();
    await recordRun(folder, CHAPTERS, (bytes, number) => (number === 3n ? undefined : bytes));
    const report = lastLine(await replay(folder));
    expect(report).toMatchObject({ ok: true, mismatches: 0 });
    // What goes on from the first snapshot.
    expect(report.skipped).toEqual([expect.objectContaining({ reason: 'block 3 of the tape is missing' })]);
    expect(Number(report.commands)).toBeGreaterThan(400);
    expect(Number(report.rowsNotReplayed)).toBeGreaterThan(100);
  });

  it('shows that the same policy asks for the same', async () => {
    const bundle = join(SHIPPED_POLICIES, 'standing-still-balancer');
    const { policy } = lastLine(await replay(recordings, '--policy', bundle)) as { policy: Record<string, unknown> };
    expect(policy).toMatchObject({ id: 'standing-still-balancer', tripped: [], saturated: 0 });
    // Under the balancer it would have asked for something else.
    expect(policy.rows).toBe(1360);
  });

  it('tries it on its own task only', async () => {
    const folder = temporaryFolder();
    await recordRun(folder, WITH_ANOTHER_TASK);
    const bundle = join(SHIPPED_POLICIES, 'standing-still-balancer');
    const { policy, skipped } = lastLine(await replay(folder, '--policy', bundle)) as Record<string, unknown>;
    expect(skipped).toEqual([]);
    expect(policy).toMatchObject({ rows: 200, difference: { rows: 200, mean: 0, max: 0, maxRow: null } });
  });

  it('shows where another policy would have tripped which condition', async () => {
    const folder = temporaryFolder();
    await writeNonFiniteBundle(folder, 'breaks-when-fast', 0.03, generateKeyPair().privateKey);
    const finished = await replay(recordings, '--policy', join(folder, 'breaks-when-fast'));
    const { policy } = lastLine(finished) as { policy: { tripped: unknown[] } };
    expect(policy.tripped).toContainEqual(
      expect.objectContaining({ condition: 'policy-not-finite', action: 'fallback', firstRow: expect.any(Number) }),
    );
    expect(finished.code).toBe(0);
  });

  it('says what is wrong with what it is given', async () => {
    const nowhere = await replay('/nowhere');
    expect([nowhere.code, nowhere.stderr]).toEqual([1, expect.stringContaining('/nowhere')]);
    const empty = await replay(temporaryFolder());
    expect([empty.code, empty.stderr]).toEqual([1, expect.stringContaining('nothing in it that can be replayed')]);
    const noBundle = await replay(recordings, '--policy', temporaryFolder());
    expect([noBundle.code, noBundle.stderr]).toEqual([1, expect.stringContaining('cannot read the bundle')]);
  });

  it('leaves the recording as it was', () => {
    expect(readdirSync(recordings).filter(isSegment)).toHaveLength(1);
  });
});
