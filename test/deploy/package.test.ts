import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { commentedDefaults } from '../../src/messages/config.ts';
import { binariesUnder, foreignTo } from '../../systemd/package/elf.ts';
import { ownFolders } from '../../systemd/package/stage.ts';
import { temporaryFolder } from '../harness.ts';

const modules = join(import.meta.dirname, '../../node_modules');

it('knows what a compiled file is for, and finds what another computer needs', () => {
  const ort = join(modules, 'onnxruntime-node/bin/napi-v6/linux');
  expect(
    binariesUnder(ort)
      .map(({ machine }) => machine)
      .sort(),
  ).toEqual([183, 183, 62, 62]);
  expect(foreignTo('arm64', join(ort, 'arm64'))).toEqual([]);
  expect(foreignTo('arm64', join(ort, 'x64'))).toHaveLength(2);
  const folder = join(temporaryFolder(), 'a');
  mkdirSync(folder);
  writeFileSync(join(folder, 'short'), '\x7fELF');
  writeFileSync(join(folder, 'text'), 'not a program at all, but long enough');
  expect(binariesUnder(folder)).toEqual([]);
});

it('the configuration of the package has the folders of the units', () => {
  const text = ownFolders(commentedDefaults());
  expect(text).toContain('\nruntimeDirectory: /run/h2o-edge\n');
  expect(text).toContain('\nstateDirectory: /var/lib/h2o-edge\n');
  expect(() => ownFolders('nothing')).toThrow(/runtimeDirectory/);
});
