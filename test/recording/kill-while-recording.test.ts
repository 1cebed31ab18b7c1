import { expect, it } from 'vitest';
import { verifyDirectory } from '../../src/recording/verify.ts';
import { lastDurable, rowsInFolder, startRecording, temporaryFolder } from './processes.ts';

const KILLS = 20;
/** A sender that comes back repeats some rows that are safe already. */
const REPEATED = 50;

it('a recorder that is killed at any moment loses no row that it has called safe', async () => {
  const directory = temporaryFolder();
  let safe = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    // Anywhere within the first segments: in the middle of a chunk, of a seal, of the change to the next segment.
    const after = 1 + Math.floor(Math.random() * 24);
    let commits = 0;
    const recording = startRecording(['fast', directory, String(Math.max(safe - REPEATED, 1))], (line) => {
      if (line.startsWith('durable ') && ++commits === after) {
        setTimeout(() => recording.child.kill('SIGKILL'), Math.random() * 10);
      }
    });
    expect(await recording.gone, recording.complaints.join('\n')).toBeNull();
    const told = lastDurable(recording.lines);
    // Not above, when all that it had time for was to hear that the repeated rows are safe.
    expect(told).toBeGreaterThanOrEqual(safe);
    safe = told;

    // Read as it lies there, before anybody has repaired it: without holes, in order, with the right contents.
    const rows = await rowsInFolder(directory);
    expect(rows.length).toBeGreaterThanOrEqual(safe);
    expect(rows.every((number, index) => number === index + 1)).toBe(true);
    safe = rows.length;
    expect(await verifyDirectory(directory)).toMatchObject({ gaps: 0, duplicates: 0, corrupt: 0, ok: true });
  }
  expect(safe).toBeGreaterThan(300 * KILLS);
});
