import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { stringify } from 'yaml';
import { writePrivateKey } from '../src/keys/key-pair.ts';
import type { ArmedMode } from '../src/messages/mode.ts';
import { limitNames } from '../src/messages/states.ts';
import { standingModel, standingOverrides } from '../src/policy/import/foreign.testing.ts';
import { parseManifest, policyHash } from '../src/policy/manifest.ts';
import { loadRobot } from '../src/robot/robot.ts';
import { reasons } from '../src/safety/supervisor.ts';
import { h2oEdge, lastLine, TestRobot, temporaryFolder } from './harness.ts';

const ID = 'upkie-velocity';
const mode: ArmedMode = { task: 'standing-still', controller: ID };
const body = loadRobot('wheel-legged');
/** What a loaded machine may bring about: these are measured by the host's clock. */
const HOST_TIME = ['overrun', 'overrun-lasting', 'policy-late'];

it('a policy of legs and wheels from another project is imported, signed, and stands; rows say what each joint did', async () => {
  const folder = temporaryFolder();
  const model = join(folder, 'Upkie_Velocity.onnx');
  const overrides = join(folder, 'overrides.yaml');
  writeFileSync(model, standingModel(body));
  writeFileSync(overrides, stringify(standingOverrides));
  const order = ['policy', 'import', model, '--robot', 'wheel-legged', '--overrides', overrides, '--json'];

  // Without what the metadata leaves open it is refused, and nothing is written.
  const refused = await h2oEdge([...order.slice(0, 5), '--out', join(folder, 'refused'), '--json']);
  expect(refused.code).toBe(1);
  expect(lastLine(refused)).toMatchObject({
    ok: false,
    id: ID,
    reasons: [expect.stringContaining('the model takes 22')],
  });
  expect(() => readFileSync(join(folder, 'refused', 'manifest.json'))).toThrow();

  const unsigned = join(folder, 'unsigned');
  const imported = await h2oEdge([...order, '--out', unsigned]);
  expect(lastLine(imported)).toMatchObject({ ok: true, id: ID, reasons: [], signed: false });

  let signed = '';
  const robot = await TestRobot.start({
    config: { policyLatencyBudget: 10, operatorHeartbeat: 0 },
    bundles: async (bundles, release) => {
      const key = join(temporaryFolder(), 'release.pem');
      writePrivateKey(key, release);
      signed = join(bundles, ID);
      expect(lastLine(await h2oEdge([...order, '--out', signed, '--key', key]))).toMatchObject({
        ok: true,
        signed: true,
      });
    },
  });
  const verified = await robot.order('policy', 'verify', unsigned, '--json');
  expect(lastLine(verified)).toMatchObject({ ok: false, reasons: [expect.stringMatching(/^files: manifest.sig/)] });
  expect(lastLine(await robot.order('policy', 'verify', signed, '--json'))).toEqual({ ok: true, id: ID, reasons: [] });

  const rows = await robot.collectRows();
  await robot.stand(mode);
  await robot.simulator.wait(6);
  expect(await robot.simulator.truth()).toMatchObject({ state: 'active', falls: 0 });
  const parsed = parseManifest(readFileSync(join(signed, 'manifest.json'), 'utf8'));
  if (!parsed.ok) throw new Error(parsed.problems.join('\n'));
  expect(parsed.manifest).toMatchObject({ rate: 50, algorithm: 'imported', training: { run: 'local/run-1' } });

  const acted = rows.filter(({ controller }) => controller === 'policy');
  expect(acted.length).toBeGreaterThan(500);
  const named = new Set(acted.flatMap(({ conditions }) => reasons(conditions)));
  expect([...named].filter((id) => !HOST_TIME.includes(id))).toEqual([]);
  expect(new Set(acted.map((row) => row.policyHash))).toEqual(new Set([policyHash(parsed.manifest)]));
  for (const { observation, joints = [], requestedTorque, commandedTorque, limits } of acted) {
    expect(observation).toHaveLength(22);
    expect(joints).toHaveLength(18);
    expect((joints[4] ?? 0) + (joints[5] ?? 0)).toBeCloseTo(requestedTorque, 4);
    expect((joints[10] ?? 0) + (joints[11] ?? 0)).toBeCloseTo(commandedTorque, 4);
    for (const [joint, stance] of [body.legs.hipStance, body.legs.kneeStance].entries()) {
      expect(joints[joint]).toBeCloseTo(stance, 3);
      expect(joints[6 + joint]).toBeCloseTo(stance, 3);
      // The legs sag under the weight, and no more than that.
      expect(Math.abs((joints[12 + joint] ?? Number.NaN) - stance)).toBeLessThan(0.15);
    }
    expect(limitNames(limits).filter((limit) => limit.startsWith('leg-'))).toEqual([]);
  }
  // 50 Hz on 200 Hz: what it sees changes at every fourth row, what its wheels are given at every row.
  const seen = acted.map(({ observation }) => observation.join());
  const decisions = seen.filter((text, at) => at > 0 && text !== seen[at - 1]).length;
  expect(decisions).toBeGreaterThan(acted.length / 4 - 10);
  expect(decisions).toBeLessThan(acted.length / 4 + 10);
});
