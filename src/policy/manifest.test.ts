import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { modelsDirectory } from '../robot/robot.ts';
import { formatManifest, observationSize, parseManifest, policyHash } from './manifest.ts';

const path = join(modelsDirectory, 'policies', 'standing-still-balancer', 'manifest.json');
const text = readFileSync(path, 'utf8');
const good = JSON.parse(text);
const problemsOf = (changes: object) => {
  const parsed = parseManifest(JSON.stringify({ ...good, ...changes }));
  return parsed.ok ? [] : parsed.problems;
};

describe('manifest.json', () => {
  it('of a bundle that ships comes back letter for letter', () => {
    const parsed = parseManifest(text);
    expect(parsed.ok && formatManifest(parsed.manifest)).toBe(text);
    expect(parsed.ok && policyHash(parsed.manifest).toString(16).padStart(16, '0')).toBe(
      good.model.sha256.slice(0, 16),
    );
  });

  it('may leave out what has an obvious value', () => {
    const parsed = parseManifest(JSON.stringify({ ...good, observation: { terms: [{ name: 'pitch' }] } }));
    expect(parsed.ok && parsed.manifest.observation).toEqual({
      terms: [{ name: 'pitch', scale: 1, offset: 0, clip: null }],
      history: 1,
    });
  });

  it.each([
    ['another format', { format: 2 }, 'format'],
    ['an unknown key', { extra: 1 }, 'the file'],
    ['a bad id', { id: '../escape' }, 'id'],
    ['version 0', { version: 0 }, 'version'],
    ['a task that does not exist', { task: 'flying' }, 'task'],
    ['a rate of 0', { rate: 0 }, 'rate'],
    ['an unknown term', { observation: { terms: [{ name: 'luck' }], history: 1 } }, 'observation.terms.0.name'],
    ['a term twice', { observation: { terms: [{ name: 'v' }, { name: 'v' }] } }, 'observation.terms'],
    ['a clip that falls', { observation: { terms: [{ name: 'v', clip: [1, -1] }] } }, 'observation.terms.0.clip'],
    ['history 0', { observation: { terms: [{ name: 'v' }], history: 0 } }, 'observation.history'],
    ['a negative action', { action: { terms: [{ name: 'wheelTorque', scale: -3 }] } }, 'action.terms.0.scale'],
    ['no word about its training', { training: undefined }, 'training'],
    ['an expiry that is no time', { expires: 'never' }, 'expires'],
    ['a short hash', { model: { ...good.model, sha256: 'ab' } }, 'model.sha256'],
    ['too few golden pairs', { golden: { ...good.golden, pairs: good.golden.pairs.slice(0, 3) } }, 'golden.pairs'],
    ['a tolerance that lets everything pass', { golden: { ...good.golden, tolerance: 10 } }, 'golden.tolerance'],
  ])('is refused with %s, which is named', (_name, changes, key) => {
    const problems = problemsOf(changes);
    expect(problems).toHaveLength(1);
    expect(problems[0]?.startsWith(`${key}: `)).toBe(true);
  });

  it('names every problem, and never throws', () => {
    expect(problemsOf({ format: 2, rate: 0 })).toHaveLength(2);
    expect(parseManifest('{')).toEqual({ ok: false, problems: ['is not JSON'] });
    fc.assert(fc.property(fc.json(), (garbage) => !parseManifest(garbage).ok));
  });

  it('says how long the observation is', () => {
    expect(observationSize({ terms: good.observation.terms, history: 3 })).toBe(3 * good.observation.terms.length);
  });
});
