import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { verifyDirectory } from '../../src/recording/verify.ts';
import { canSpoil, lastDurable, onBadDisk, rowsInFolder, startRecording, temporaryFolder } from './processes.ts';

const CUTS = 20;
/** A sender that comes back repeats some rows that are safe already. */
const REPEATED = 50;

it.skipIf(!canSpoil)(
  'power that fails in the middle of a sync costs nothing that was called safe (needs gcc)',
  async () => {
    const directory = temporaryFolder();
    let safe = 0;
    for (let cut = 1; cut <= CUTS; cut++) {
      // Every page that was not yet synced is there or is not; and so is the new length of the file.
      const around = onBadDisk({ what: 'torn', at: 1 + Math.floor(Math.random() * 24), seed: cut });
      const recording = startRecording(['fast', directory, String(Math.max(safe - REPEATED, 1))], undefined, around);
      expect(await recording.gone, recording.complaints.join('\n')).toBeNull();
      const told = lastDurable(recording.lines);
      expect(told).toBeGreaterThanOrEqual(safe);

      // As it lies there, before anybody has repaired it: what is read is right, in order, and goes at least as far as was said.
      const rows = await rowsInFolder(directory);
      expect(rows.length).toBeGreaterThanOrEqual(told);
      expect(rows.every((number, index) => number === index + 1)).toBe(true);
      safe = rows.length;
    }
    const last = startRecording(['fast', directory, String(safe + 1)], (line) => {
      if (line.startsWith('durable ')) last.child.kill('SIGKILL');
    });
    await last.gone;
    // Whatever the cuts have left has been made whole.
    const report = await verifyDirectory(directory);
    expect(report).toMatchObject({ gaps: 0, duplicates: 0, corrupt: 0, ok: true });
    expect(report.rows).toBeGreaterThan(safe);
    expect(readdirSync(directory).filter((name) => name.endsWith('.mcap')).length).toBeGreaterThan(1);
  },
);
