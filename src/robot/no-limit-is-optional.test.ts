import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse, stringify } from 'yaml';
import { loadRobot, modelsDirectory } from './robot.ts';

type Section = Record<string, { value: unknown }>;

const shipped: Record<string, Section> = parse(
  readFileSync(join(modelsDirectory, 'robots', 'wheel-legged.yaml'), 'utf8'),
);
/** What keeps the robot within bounds; numbers that are only physics may be what they are. */
const PROTECTIONS = ['limits', 'timing', 'mcu'].flatMap((section) =>
  Object.keys(shipped[section] ?? {}).map((name): [string, string] => [section, name]),
);

/** Loads the robot file that ships after a change to it. */
function load(change: (file: Record<string, Section>) => void) {
  const folder = mkdtempSync(join(tmpdir(), 'h2o-robot-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = structuredClone(shipped);
  change(file);
  const path = join(folder, 'robot.yaml');
  writeFileSync(path, stringify(file));
  return loadRobot(path);
}

describe('a robot file', () => {
  it('is read as it ships', () => {
    expect(PROTECTIONS.length).toBeGreaterThan(25);
    expect(load(() => {}).limits).toEqual(loadRobot('wheel-legged').limits);
  });

  it.each(PROTECTIONS)(
    'without %s.%s is refused by that name: nothing that protects has a default',
    (section, name) => {
      expect(() => load((file) => delete file[section]?.[name])).toThrow(`${section}.${name}`);
    },
  );

  it.each(PROTECTIONS)('with a %s.%s that is no number, infinite or negative is refused', (section, name) => {
    for (const value of [null, 'none', Number.NaN, Number.POSITIVE_INFINITY, -1]) {
      const set = (file: Record<string, Section>) => {
        const quantity = file[section]?.[name];
        if (quantity) quantity.value = value;
      };
      expect(() => load(set), String(value)).toThrow(`${section}.${name}`);
    }
  });
});
