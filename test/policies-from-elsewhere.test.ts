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

  // Where it does not fit it is refused, and nothing is written.
  const refused = await h2oEdge([...order, '--rate', '60', '--out', join(folder, 'refused')]);
  expect(refused.code).toBe(1);
  expect(lastLine(refused)).toMatchObject({
    ok: false,
    id: ID,
    reasons: [expect.stringContaining('60 Hz is no whole part')],
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
  expect(lastLine(await robot.order('policy', 'verify', signed, '--json'))).toMatchObject({
    ok: true,
    id: ID,
    reasons: [],
  });

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

it('one that throws its legs as far as they go is held by the robot file’s limits, and the robot stays up', async () => {
  const folder = temporaryFolder();
  const model = join(folder, 'thrower.onnx');
  const overrides = join(folder, 'overrides.yaml');
  writeFileSync(model, standingModel(body, undefined, 1000));
  writeFileSync(overrides, stringify(standingOverrides));
  const robot = await TestRobot.start({
    config: { policyLatencyBudget: 10, operatorHeartbeat: 0 },
    bundles: async (bundles, release) => {
      const key = join(temporaryFolder(), 'release.pem');
      writePrivateKey(key, release);
      const words = [
        '--robot',
        'wheel-legged',
        '--out',
        join(bundles, 'thrower'),
        '--overrides',
        overrides,
        '--key',
        key,
      ];
      expect(lastLine(await h2oEdge(['policy', 'import', model, ...words, '--json']))).toMatchObject({ ok: true });
    },
  });
  const rows = await robot.collectRows();
  await robot.stand({ task: 'standing-still', controller: 'thrower' });
  await robot.simulator.wait(3);
  const { motion } = body.legs;
  if (!motion) throw new Error('the robot that ships lets policies move its legs');
  const acted = rows.filter(({ joints }) => joints !== undefined);
  expect(acted.length).toBeGreaterThan(20);
  const named = new Set(acted.flatMap(({ limits }) => limitNames(limits)));
  for (const limit of ['leg-position', 'leg-speed', 'leg-torque', 'leg-balance']) expect(named).toContain(limit);
  let before: readonly number[] = [
    body.legs.hipStance,
    body.legs.kneeStance,
    body.legs.hipStance,
    body.legs.kneeStance,
  ];
  for (const [at, { joints = [], sequence }] of acted.entries()) {
    const commanded = joints.slice(6, 10);
    for (const [joint, position] of commanded.entries()) {
      const [least, most] = joint % 2 === 0 ? [motion.hipLeast, motion.hipMost] : [motion.kneeLeast, motion.kneeMost];
      expect(position).toBeGreaterThanOrEqual(Math.fround(least) - 1e-6);
      expect(position).toBeLessThanOrEqual(Math.fround(most) + 1e-6);
      // A frame comes every 5 ms; where rows are missing, the guard has gone on.
      const adjacent = at === 0 || acted[at - 1]?.sequence === sequence - 1n;
      if (adjacent) expect(Math.abs(position - (before[joint] ?? 0))).toBeLessThanOrEqual(motion.speed * 0.02 + 1e-6);
    }
    before = commanded;
  }
  expect(await robot.simulator.truth()).toMatchObject({ state: 'active', falls: 0 });
});

it.each<[string, string, readonly string[]]>([
  ['a model that is not there', 'E100 fileUnreadable', ['nothing.onnx', '--out', 'out']],
  ['a folder in place of a model', 'E100 fileUnreadable', ['.', '--out', 'out']],
  ['a folder that is not empty', 'E600 usage', ['model.onnx', '--out', '.']],
  ['a task that there is not', 'E600 usage', ['model.onnx', '--out', 'out', '--task', 'dancing']],
  ['overrides that are none', 'E300 bundleInvalid', ['model.onnx', '--out', 'out', '--overrides', 'model.yaml']],
  [
    'an id that cannot be',
    'E301 bundleRefused',
    ['model.onnx', '--out', 'out', '--rate', '50', '--overrides', 'good.yaml', '--id', '../up'],
  ],
])('import complains about %s', async (_what, code, words) => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'model.onnx'), standingModel(body));
  writeFileSync(join(folder, 'model.yaml'), 'joints: 5\n');
  writeFileSync(join(folder, 'good.yaml'), stringify(standingOverrides));
  const {
    code: exit,
    stdout,
    stderr,
  } = await h2oEdge(['policy', 'import', ...words, '--robot', 'wheel-legged'], folder);
  expect({ exit, stdout }).toEqual({ exit: 1, stdout: '' });
  expect(stderr).toContain(`[${code}]`);
  expect(stderr).toMatch(/→ \S/);
  expect(stderr).not.toMatch(/^\s+at /m);
});
