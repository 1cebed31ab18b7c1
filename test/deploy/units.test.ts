import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../harness.ts';

const units = join(import.meta.dirname, '../../systemd/system');
const missing = spawnSync('systemd-analyze', ['--version']).status !== 0;

/** The units, with this Node in place of the package's. */
function copied(): string[] {
  const folder = join(temporaryFolder(), 'system');
  mkdirSync(folder);
  return readdirSync(units).map((name) => {
    const path = join(folder, name);
    writeFileSync(path, readFileSync(join(units, name), 'utf8').replace('/usr/bin/node', process.execPath));
    return path;
  });
}

it.skipIf(missing)('systemd has nothing to say against the units (systemd)', () => {
  const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...copied()], {
    encoding: 'utf8',
  });
  expect(`${stdout}${stderr}`).toBe('');
  expect(status).toBe(0);
});

it.skipIf(missing).each(['control', 'gateway'])(
  '%s is exposed by 2.0 at most, and the page says why by so much (systemd)',
  (name) => {
    const words = ['security', '--offline=true', '--threshold=20', '--no-pager', join(units, `h2o-${name}.service`)];
    const { status, stdout } = spawnSync('systemd-analyze', words, { encoding: 'utf8' });
    expect(stdout).toContain('Overall exposure level');
    expect(status).toBe(0);
    const page = readFileSync(join(import.meta.dirname, '../../docs/deploy.md'), 'utf8');
    const exposed = [...stdout.matchAll(/^✗ (\S+)/gmu)].map(([, what = '']) => what.replace(/=.*/, ''));
    expect(exposed.length).toBeGreaterThan(5);
    expect(exposed.filter((what) => !page.includes(`\`${what}=`))).toEqual([]);
  },
);
