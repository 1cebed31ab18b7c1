import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { EXPORT_FORMATS } from '../../src/dataset/export/formats.ts';
import { temporaryFolder } from '../../src/dataset/segments/segments.testing.ts';

const CHILD = fileURLToPath(new URL('./export-child.ts', import.meta.url));

/** Containers often forbid one or the other. */
const canMount =
  spawnSync('unshare', ['--map-root-user', '--mount', 'sh', '-c', 'mount -t tmpfs tmpfs /mnt']).status === 0;
const canLimit = spawnSync('prlimit', ['--version']).status === 0;

function exportAll(folder: string, rows: number, around: readonly string[]) {
  const [command = '', ...rest] = [...around, process.execPath, '--import', 'tsx', CHILD, folder, String(rows)];
  const { stdout, stderr } = spawnSync(command, rest, { encoding: 'utf8' });
  const found = stdout
    .trim()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line): { format: string; outcome: string; left: string[] } => JSON.parse(line));
  expect(
    found.map(({ format }) => format),
    stderr,
  ).toEqual([...EXPORT_FORMATS]);
  return found;
}

describe('an export that does not fit', () => {
  it.skipIf(!canMount)('on a disk that is full ends with an error and leaves nothing', () => {
    const folder = temporaryFolder();
    const script = `mount -t tmpfs -o size=3m tmpfs "$0" && exec "$@"`;
    const found = exportAll(folder, 80_000, ['unshare', '--map-root-user', '--mount', 'sh', '-c', script, folder]);
    for (const { outcome, left } of found) {
      expect(outcome).toMatch(/^datasetNotWritten: the disk of .* is full/);
      expect(left).toEqual([]);
    }
  });

  // Here the disk has room, and the file system refuses all the same: nobody is warned before.
  it.skipIf(!canLimit)('in a file that may not grow ends with an error and leaves nothing', () => {
    const found = exportAll(temporaryFolder(), 8000, ['prlimit', '--fsize=300000']);
    for (const { outcome, left } of found) {
      expect(outcome).toMatch(/^datasetNotWritten: /);
      expect(left).toEqual([]);
    }
  });
});
