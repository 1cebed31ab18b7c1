import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { modelsDirectory } from '../robot/robot.ts';
import { formatManifest, observationSize, parseManifest, policyHash } from './manifest.ts';
import { jointTermsOf, seesBody } from './manifest-terms.ts';

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

  const legs = { name: 'hipLeft', kind: 'position', scale: 0.25, offset: 1, clip: [0.8, 1.2] };
  const left = { name: 'wheelLeft', kind: 'velocity', scale: 100, damping: 0.05 };
  const right = { name: 'wheelRight', kind: 'torque', scale: 1.5 };
  const terms = [
    { name: 'jointPosition', joints: ['hipLeft', 'kneeLeft'], offset: [1, -1.5], scale: 2, history: 3 },
    { name: 'jointVelocity', joints: ['wheelLeft'] },
    {
      name: 'projectedGravity',
      clip: [
        [-1, 1],
        [-0.5, 0.5],
        [-1, 0],
      ],
      range: [-1, 1],
    },
    { name: 'previousAction', joints: ['wheelLeft', 'wheelRight'] },
    { name: 'previousAction' },
    { name: 'attitude' },
  ];

  it('may be of a policy of joints, with vectors and a history for each term', () => {
    const text = JSON.stringify({ ...good, observation: { terms }, action: { terms: [legs, left, right] } });
    const parsed = parseManifest(text);
    if (!parsed.ok) throw new Error(parsed.problems.join('\n'));
    const { observation, action } = parsed.manifest;
    expect(observationSize(observation)).toBe(3 * 2 + 1 + 3 + 2 + 1 + 4);
    expect(seesBody(observation)).toBe(true);
    expect(seesBody(good.observation)).toBe(false);
    expect(jointTermsOf(action)?.map(({ name }) => name)).toEqual(['hipLeft', 'wheelLeft', 'wheelRight']);
    const again = parseManifest(formatManifest(parsed.manifest));
    expect(again).toEqual(parsed);
  });

  it.each<[string, object, string]>([
    ['joints of none', { observation: { terms: [{ name: 'jointPosition' }] } }, 'observation.terms.0.joints'],
    [
      'joints of gravity',
      { observation: { terms: [{ name: 'projectedGravity', joints: ['hipLeft'] }] } },
      'observation.terms.0.joints',
    ],
    [
      'a joint twice',
      { observation: { terms: [{ name: 'jointVelocity', joints: ['hipLeft', 'hipLeft'] }] } },
      'observation.terms.0.joints',
    ],
    [
      'an unknown joint',
      { observation: { terms: [{ name: 'jointVelocity', joints: ['tail'] }] } },
      'observation.terms.0.joints.0',
    ],
    [
      'scales for others',
      { observation: { terms: [{ name: 'attitude', scale: [1, 2] }] } },
      'observation.terms.0.scale',
    ],
    [
      'clips for others',
      { observation: { terms: [{ name: 'attitude', clip: [[0, 1]] }] } },
      'observation.terms.0.clip',
    ],
    ['two histories', { observation: { terms: [{ name: 'v', history: 2 }], history: 2 } }, 'observation.history'],
    ['one wheel', { action: { terms: [legs, left] } }, 'action.terms'],
    ['a wheel twice', { action: { terms: [left, right, right] } }, 'action.terms'],
    ['a joint beside the total', { action: { terms: [{ name: 'wheelTorque', scale: 1 }, legs] } }, 'action.terms'],
    ['torque for a leg', { action: { terms: [{ ...legs, kind: 'torque' }, left, right] } }, 'action.terms.0.kind'],
    [
      'a place for a wheel',
      { action: { terms: [left, { name: 'wheelRight', kind: 'position' }] } },
      'action.terms.1.kind',
    ],
    [
      'a velocity without damping',
      { action: { terms: [right, { name: 'wheelLeft', kind: 'velocity' }] } },
      'action.terms.1.damping',
    ],
    ['damping without a velocity', { action: { terms: [left, { ...right, damping: 1 }] } }, 'action.terms.1.damping'],
  ])('is refused with %s, which is named', (_name, changes, key) => {
    const problems = problemsOf(changes);
    expect(problems.length).toBeGreaterThan(0);
    expect(
      problems.every((problem) => problem.startsWith(`${key}: `)),
      problems.join(),
    ).toBe(true);
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
