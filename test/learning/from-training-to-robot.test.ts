import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { generateKeyPair, writePrivateKey, writePublicKey } from '../../src/keys/key-pair.ts';
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
  expect(lastLine(verified)).toMatchObject({ ok: true, id: ID, reasons: [] });
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

it('the demo runs it in place of the policy that ships, under guard and failsafe table, and tells how it did', async () => {
  const folder = temporaryFolder();
  const run = join(folder, 'run');
  const { privateKey, publicKey } = generateKeyPair();
  const key = join(folder, 'release.pem');
  writePrivateKey(key, privateKey);
  writePublicKey(`${key}.pub`, publicKey);
  await h2oEdge([
    ...['train', '--task', 'standing-still', '--algorithm', 'sac', '--steps', '300', '--out', run],
    ...['--set', 'training.warmUp=200', '--evaluation-seconds', '1', '--key', key],
  ]);
  const demo = ['demo', '--seconds', '8', '--pace', 'lockstep', '--json'];
  const bundle = join(run, 'policies', ID);

  const finished = await h2oEdge([...demo, '--policy', bundle, '--release-key', `${key}.pub`]);
  const said = lastLine(finished) as { frames: number; answered: number };
  // After 300 steps it hardly stands; what it does is told as it is.
  expect(said).toMatchObject({ ok: true, controller: ID, falls: expect.any(Number), maxAbsX: expect.any(Number) });
  expect(said.frames).toBeGreaterThan(1000);
  // the last frame's answer may be on its way when the demo ends
  expect(said.frames - said.answered).toBeLessThanOrEqual(1);
  expect(finished.code).toBe(0);

  const untrusted = await h2oEdge([...demo, '--policy', bundle]);
  expect(untrusted.stderr).toContain('signature');
  expect(untrusted.code).not.toBe(0);
});
