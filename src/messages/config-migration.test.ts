import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { configSchema } from './config.ts';
import { migrateConfig } from './config-migration.ts';

it('leaves a configuration of this release as it is, to the byte', () => {
  const text = '# mine\nname: one   # really\nserial: { path: /dev/x }\n';
  expect(migrateConfig(text)).toEqual({ text, changes: [] });
  expect(migrateConfig('')).toEqual({ text: '', changes: [] });
});

it('puts keys that it does not know into comments, and keeps values and comments of all others', () => {
  const { text, changes } = migrateConfig(
    '# mine\nname: one # really\ncolour: blue\nserial:\n  speed: 5\n  path: /dev/x\nhttp:\n  magic: {a: 1}\n',
  );
  expect(configSchema.parse(parse(text))).toMatchObject({ name: 'one', serial: { path: '/dev/x' } });
  expect(text).toContain('# mine\nname: one # really\n');
  expect(text).toContain('# colour: "blue"\n# serial.speed: 5\n# http.magic: {"a":1}\n');
  expect(changes).toHaveLength(3);
  expect(migrateConfig(text).changes).toEqual([]);
});

it('gives renamed keys their new names; what stands under the new name already wins', () => {
  const renamed = [
    { from: 'title', to: 'name' },
    { from: 'port', to: 'serial.path' },
  ];
  const { text } = migrateConfig('title: one\nport: /dev/y\n', renamed);
  expect(parse(text)).toEqual({ name: 'one', serial: { path: '/dev/y' } });
  expect(parse(migrateConfig('title: one\nname: two\n', renamed).text)).toEqual({ name: 'two' });
});

it.each(['- a list', 'a: [', 'just words'])('refuses %s with a remedy', (text) => {
  expect(() => migrateConfig(text)).toThrow(expect.objectContaining({ codeName: 'configInvalid' }));
});
