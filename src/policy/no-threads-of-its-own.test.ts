import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { modelsDirectory } from '../robot/robot.ts';
import { parseManifest } from './manifest.ts';
import { loadPolicy } from './runtime.ts';

const folder = join(modelsDirectory, 'policies', 'standing-still-balancer');
const parsed = parseManifest(readFileSync(join(folder, 'manifest.json'), 'utf8'));
if (!parsed.ok) throw new Error(parsed.problems.join());
const bundle = { manifest: parsed.manifest, model: readFileSync(join(folder, 'policy.onnx')) };

const threads = () => readdirSync('/proc/self/task').length;

it('a policy runs on the thread that asks it: ONNX Runtime starts none that could spin beside control', async () => {
  // The runtime itself, and the pool of Node's file calls, are there after the first.
  const first = await loadPolicy(bundle);
  await first.warmUp();
  const before = threads();
  const more = [];
  for (let count = 0; count < 8; count++) {
    const session = await loadPolicy(bundle);
    await session.warmUp();
    more.push(session);
  }
  expect(threads()).toBe(before);
  for (const session of [first, ...more]) await session.release();
});
