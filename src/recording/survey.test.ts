import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { rowAt, temporaryFolder, writeSegment } from '../dataset/segments/segments.testing.ts';
import type { Row } from '../messages/row.ts';
import { surveySegment } from './survey.ts';

/** A robot that lies, is lifted, runs, times out, runs on, falls after it was let go of, and lies there. */
function change(n: number): Partial<Row> {
  if (n < 20) return { robotState: 'disarmed', controller: 'none', done: n < 10, episode: 1 };
  if (n < 30) return { episode: 2, timeout: n === 29 };
  if (n < 40) return { episode: 3 };
  return { robotState: n < 50 ? 'limp' : 'disarmed', controller: 'none', episode: 3, done: n > 45 };
}

it('counts a fall once, and no episode in which the robot never ran', async () => {
  const folder = temporaryFolder();
  await writeSegment(
    folder,
    Array.from({ length: 80 }, (_, n) => rowAt(n, change(n))),
  );
  const [file = ''] = readdirSync(folder);
  expect(await surveySegment(join(folder, file), file)).toMatchObject({ rows: 80, episodes: 2, falls: 1, timeouts: 1 });
});
