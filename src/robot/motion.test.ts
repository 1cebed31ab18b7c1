import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { parse, stringify } from 'yaml';
import { loadRobot, modelsDirectory } from './robot.ts';

type Motion = Record<string, { value: unknown }>;

/** Loads the robot that ships after a change to what its legs may do. */
function load(change: (legs: { motion?: Motion }, motion: Motion) => void) {
  const folder = mkdtempSync(join(tmpdir(), 'h2o-robot-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = parse(readFileSync(join(modelsDirectory, 'robots', 'wheel-legged.yaml'), 'utf8'));
  change(file.legs, file.legs.motion);
  const path = join(folder, 'robot.yaml');
  writeFileSync(path, stringify(file));
  return loadRobot(path);
}

it('a robot file need not let policies move its legs', () => {
  const robot = load((legs) => {
    delete legs.motion;
  });
  expect(robot.legs.motion).toBeUndefined();
});

it('who does must say all of it', () => {
  const { motion } = loadRobot('wheel-legged').legs;
  for (const name of Object.keys(motion ?? {})) {
    expect(() => load((_legs, stated) => delete stated[name])).toThrow(`legs.motion.${name}`);
  }
});

it.each([
  ['hipLeast', 1.1, 'hip'],
  ['hipMost', 1, 'hip'],
  ['kneeMost', -1.6, 'knee'],
  ['kneeLeast', -1.5, 'knee'],
  ['hipMost', 2.6, 'hip'],
  ['kneeLeast', -2.6, 'knee'],
])('%s of %d does not go with the stance or the joint', (name, value, joint) => {
  const change = () =>
    load((_legs, motion) => {
      motion[name] = { ...motion[name], value };
    });
  expect(change).toThrow(new RegExp(`legs.motion lets the ${joint} go from .* its stance is`));
});
