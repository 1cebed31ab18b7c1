import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { verifyDirectory } from '../../src/recording/verify.ts';
import { canMount, lastDurable, startRecording, temporaryFolder, withDisk } from './processes.ts';

/** Where nothing can be mounted, the limit on the length of files has to do. */
const canLimit = spawnSync('prlimit', ['--version']).status === 0;

const reports = (lines: readonly string[]) =>
  lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));

describe('a disk that is really full', () => {
  it.skipIf(!canMount)('stops the recording, not the process; every row that was called safe is there', async () => {
    const directory = temporaryFolder();
    const recording = startRecording(['fill', directory], undefined, withDisk(6, directory));
    expect(await recording.gone, recording.complaints.join('\n')).toBe(0);
    expect(recording.lines.filter((line) => line.startsWith('problem disk-full'))).toHaveLength(1);
    const durable = lastDurable(recording.lines);
    expect(durable).toBeGreaterThan(10_000);
    // The reserve was enough to seal the last segment.
    expect(reports(recording.lines)).toMatchObject([
      { durable, rows: durable, gaps: 0, duplicates: 0, corrupt: 0, open: 0, ok: true },
    ]);
  });

  it.skipIf(!canMount)('is used again when it has room', async () => {
    const directory = temporaryFolder();
    const recording = startRecording(['room', directory], undefined, withDisk(10, directory));
    expect(await recording.gone, recording.complaints.join('\n')).toBe(0);
    expect(recording.lines).toContain('recovered');
    const [before, after] = reports(recording.lines);
    expect(before).toMatchObject({ rows: before.durable, corrupt: 0, ok: true });
    expect(after.rows).toBeGreaterThan(before.rows + 5000);
    expect(after).toMatchObject({ duplicates: 0, corrupt: 0, open: 0, ok: true });
  });

  it.skipIf(!canLimit)('in the shape of a file that may not grow: the same', async () => {
    const directory = temporaryFolder();
    const recording = startRecording(['short', directory], undefined, ['prlimit', '--fsize=2000000']);
    expect(await recording.gone, recording.complaints.join('\n')).toBe(0);
    const durable = lastDurable(recording.lines);
    expect(durable).toBeGreaterThan(5000);
    expect(recording.lines.some((line) => line.startsWith('problem disk-full EFBIG'))).toBe(true);
    const report = await verifyDirectory(directory);
    expect(report).toMatchObject({ rows: durable, gaps: 0, duplicates: 0, corrupt: 0, ok: true });
  });
});
