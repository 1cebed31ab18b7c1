import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { writePrivateKey } from '../../src/keys/key-pair.ts';
import type { ArmedMode } from '../../src/messages/mode.ts';
import { parseManifest, policyHash } from '../../src/policy/manifest.ts';
import { loadRobot } from '../../src/robot/robot.ts';
import { h2oEdge, lastLine, TestRobot, temporaryFolder } from '../harness.ts';

const ID = 'standing-still-sac-seed-1';
const mode: ArmedMode = { task: 'standing-still', controller: ID };

it('a policy that was trained a moment ago is signed, taken by the robot, acts on it, and is guarded', async () => {
  const run = join(temporaryFolder(), 'run');
  const bundle = join(run, 'policies', ID);
  const robot = await TestRobot.start({
    config: { policyLatencyBudget: 10 },
    bundles: async (folder, release) => {
      const key = join(temporaryFolder(), 'release.pem');
      writePrivateKey(key, release);
      const trained = await h2oEdge([
        ...['train', '--task', 'standing-still', '--algorithm', 'sac', '--steps', '300', '--out', run, '--json'],
        ...['--set', 'training.warmUp=200', '--evaluation-seconds', '1', '--key', key],
      ]);
      expect(trained.stderr).not.toContain('not signed');
      expect(lastLine(trained)).toMatchObject({ ok: true, policies: [bundle] });
      cpSync(bundle, join(folder, ID), { recursive: true });
    },
  });
  const parsed = parseManifest(readFileSync(join(bundle, 'manifest.json'), 'utf8'));
  if (!parsed.ok) throw new Error(parsed.problems.join('\n'));
  const { manifest } = parsed;
  expect(manifest).toMatchObject({
    algorithm: 'sac',
    rate: 50,
    training: { seed: 1, steps: 300, recipe: { name: 'edge' } },
  });

  const verified = await robot.order('policy', 'verify', bundle, '--json');
  expect(lastLine(verified)).toEqual({ ok: true, id: ID, reasons: [] });
  const evaluated = await h2oEdge(['evaluate', bundle, '--seeds', '2', '--seconds', '5', '--json']);
  expect(lastLine(evaluated)).toMatchObject({ task: 'standing-still', algorithm: 'sac', episodes: 2 });

  const { controllers } = await robot.control.status();
  expect(controllers.map(({ id }) => id)).toContain(ID);
  const rows = await robot.collectRows();
  await robot.arm(mode);
  await robot.simulator.wait(2);
  const acted = rows.filter(({ controller }) => controller === 'policy');
  expect(acted.length).toBeGreaterThan(10);
  expect(new Set(acted.map((row) => row.policyHash))).toEqual(new Set([policyHash(manifest)]));
  // 50 Hz on 200 Hz: each action is held for four frames; what is sent stays within the robot's limits.
  const { limits } = loadRobot('wheel-legged');
  for (const row of rows) expect(Math.abs(row.commandedTorque)).toBeLessThanOrEqual(2 * limits.wheelTorque + 1e-6);
  const requested = acted.map(({ requestedTorque }) => requestedTorque);
  const changes = requested.filter((value, index) => index > 0 && value !== requested[index - 1]).length;
  expect(changes).toBeGreaterThan(1);
  expect(changes).toBeLessThanOrEqual(acted.length / 4 + 2);
});
