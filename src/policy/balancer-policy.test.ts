import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readPrivateKey } from '../keys/key-pair.ts';
import { loadTrustStore } from '../keys/trust-store.ts';
import { loadRobot, modelsDirectory } from '../robot/robot.ts';
import { taskNames, tasks } from '../robot/tasks/tasks.ts';
import { balancerPolicy } from './balancer-policy.ts';
import { bundleFiles, writeBundle } from './bundle.ts';
import { PolicySession } from './runtime.ts';
import { vetBundle } from './vet.ts';

const robot = loadRobot('wheel-legged');
const keys = join(modelsDirectory, 'keys');

it.each(taskNames)('the bundle that ships for %s is the one of the robot file', async (name) => {
  const directory = mkdtempSync(join(tmpdir(), 'export-'));
  const { draft, model } = await balancerPolicy(tasks[name], robot);
  writeBundle(directory, draft, model, readPrivateKey(join(keys, 'demo-release.pem'), { published: true }));
  for (const file of Object.values(bundleFiles)) {
    const shipped = readFileSync(join(modelsDirectory, 'policies', `${name}-balancer`, file.name));
    const message = `${file.name} is old: run npm run export-balancer`;
    expect(shipped.equals(readFileSync(join(directory, file.name))), message).toBe(true);
  }
  rmSync(directory, { recursive: true });
});

it.each(taskNames)('the bundle that ships for %s passes, with the demo key alone', async (name) => {
  const directory = join(modelsDirectory, 'policies', `${name}-balancer`);
  const trust = loadTrustStore(join(keys, 'demo-trust.yaml'));
  const now = Date.parse('2035-12-31T00:00:00Z');
  expect(await vetBundle(directory, { robot, trust, now })).toMatchObject({ ok: true, reasons: [] });
  const nobody = await vetBundle(directory, { robot, trust: { keys: new Map() }, now });
  expect(nobody.reasons).toEqual([expect.stringMatching(/^signature: .* is not trusted$/)]);
});

it.each(taskNames)('the model for %s computes the linear law', async (name) => {
  const { draft, model, law } = await balancerPolicy(tasks[name], robot);
  const [weights = []] = law.weights;
  const session = await PolicySession.open(model, weights.length, 1);
  for (const { observation } of draft.golden.pairs) {
    const sum = weights.reduce((total, weight, at) => total + weight * (observation[at] ?? 0), law.bias[0] ?? 0);
    expect((await session.run(observation))[0]).toBeCloseTo(Math.min(1, Math.max(-1, sum)), 5);
  }
  await session.release();
});
