import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { CLI, endProcess, environmentOf, temporaryFolder } from '../harness.ts';
import { canMount, withDisk } from './processes.ts';

/** What is left of it to the recorder beside the 64 MB that it leaves to others: some seconds of rows [MB]. */
const DISK = 62;

it.skipIf(!canMount)('a collection ends when the disk is really full; what it has is whole', async () => {
  const folder = temporaryFolder();
  const job = 'record --task standing-still --minutes 60 --simulate --seed 5 --out job --json';
  // The disk is there only for those who run on it: the job's recordings are checked there.
  const words = `cd "$0" && "$1" "$2" ${job}; "$1" "$2" dataset verify job/state/recordings --json`;
  const [program = '', ...around] = withDisk(DISK, folder);
  const child = spawn(program, [...around, 'sh', '-c', words, folder, process.execPath, CLI], {
    env: environmentOf(),
  });
  onTestFinished(() => endProcess(child));
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  await new Promise((resolve) => child.once('close', resolve));
  const [told, verified] = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(told, stderr).toMatchObject({
    ok: false,
    ended: 'disk-full',
    recordings: join(folder, 'job/state/recordings'),
  });
  expect(stderr).toContain('the collection ended early (disk-full)');
  expect(told.transitions).toBeGreaterThan(100);
  expect(verified).toMatchObject({ ok: true, gaps: 0, duplicates: 0, corrupt: 0, open: 0 });
  expect(verified.rows).toBeGreaterThan(100);
});
