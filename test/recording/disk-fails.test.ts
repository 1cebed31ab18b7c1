import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { verifyDirectory } from '../../src/recording/verify.ts';
import {
  type BadDisk,
  canMount,
  canSpoil,
  lastDurable,
  onBadDisk,
  type Recording,
  rowsInFolder,
  startRecording,
  temporaryFolder,
  withDisk,
} from './processes.ts';

const { EIO, EROFS } = constants.errno;

const reports = (lines: readonly string[]) =>
  lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));

async function ended(recording: Recording): Promise<void> {
  expect(await recording.gone, recording.complaints.join('\n')).toBe(0);
}

const TROUBLES: readonly (BadDisk & { readonly name: string })[] = [
  { name: 'whose writes fail for a while', what: 'write', at: 20, operations: 4, errno: EIO },
  { name: 'whose opening of a segment fails', what: 'write', at: 1, operations: 3, errno: EIO },
  { name: 'that cannot sync, once', what: 'sync', at: 20, operations: 1, errno: EIO },
  { name: 'on which nothing works for a while', what: 'all', at: 25, operations: 7, errno: EIO },
  { name: 'that becomes read-only under an open segment', what: 'all', at: 15, operations: 9, errno: EROFS },
];

describe.skipIf(!canSpoil)('a disk (needs gcc)', () => {
  it.each(TROUBLES)('$name: what was called safe is there, recording goes on, nothing is read wrongly', async (bad) => {
    const directory = temporaryFolder();
    const recording = startRecording(['trouble', directory], undefined, onBadDisk(bad));
    await ended(recording);
    expect(recording.lines.some((line) => line.startsWith('problem io-error'))).toBe(true);
    expect(recording.lines).toContain('recovered');
    const durable = lastDurable(recording.lines);
    const [report] = reports(recording.lines);
    expect(report).toMatchObject({ gaps: 0, corrupt: 0, open: 0, ok: true });
    // What a sync did not confirm is sent again, and may be there already.
    if (bad.what !== 'sync') expect(report.duplicates).toBe(0);
    expect(report.rows - report.duplicates).toBe(durable);
    const rows = [...new Set(await rowsInFolder(directory))];
    expect(rows).toHaveLength(durable);
    expect(rows.every((number, index) => number === index + 1)).toBe(true);
  });

  it('that cannot be read is found out, and nothing after it is taken for data', async () => {
    const directory = temporaryFolder();
    const recording = startRecording(['fast', directory], (line) => {
      if (line.startsWith('durable ') && lastDurable([line]) > 8000) recording.child.kill('SIGKILL');
    });
    await recording.gone;
    const all = await verifyDirectory(directory);
    expect(all.ok).toBe(true);
    const verifying = startRecording(['verify', directory], undefined, onBadDisk({ what: 'read', at: 3 }));
    await ended(verifying);
    const [report] = reports(verifying.lines);
    expect(report).toMatchObject({ corrupt: 1, ok: false });
    expect(report.rows).toBeLessThan(all.rows);
  });
});

it.skipIf(!canMount)(
  'a disk that is remounted read-only stops the recording until it is not (needs a mount of its own)',
  async () => {
    const directory = temporaryFolder();
    const recording = startRecording(['readonly', directory], undefined, withDisk(32, directory));
    await ended(recording);
    expect(recording.lines.filter((line) => line.startsWith('problem'))).toEqual([
      expect.stringMatching(/^problem io-error EROFS/),
    ]);
    expect(recording.lines).toContain('recovered');
    const [before, after] = reports(recording.lines);
    expect(before).toMatchObject({ rows: before.durable, corrupt: 0, gaps: 0, ok: true });
    expect(after).toMatchObject({ rows: after.durable, corrupt: 0, gaps: 0, duplicates: 0, open: 0, ok: true });
    expect(after.rows).toBeGreaterThan(before.rows + 4000);
  },
);
