import type { KeyObject } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ArmedMode } from '../src/messages/mode.ts';
import type { PolicyAction, PolicyVersion } from '../src/messages/policy-updates.ts';
import type { Row } from '../src/messages/row.ts';
import { balancerPolicy } from '../src/policy/balancer-policy.ts';
import { writeBundle } from '../src/policy/bundle.ts';
import { buildLinearPolicy } from '../src/policy/onnx-linear.ts';
import { goldenPairs } from '../src/policy/runtime.ts';
import { loadRobot } from '../src/robot/robot.ts';
import { standingStill } from '../src/robot/tasks/standing-still.ts';
import { writeNonFiniteBundle } from './bundles.ts';
import { familyOf, refusalOf, TestRobot } from './harness.ts';
import { until } from './until.ts';

const ID = 'standing';
const MODE: ArmedMode = { task: 'standing-still', controller: ID };

/** The balancer's law with its weights changed, as a version of one policy. */
async function writeVersion(folder: string, version: number, release: KeyObject, change = (weight: number) => weight) {
  const { draft, law } = await balancerPolicy(standingStill, loadRobot('wheel-legged'));
  const model = buildLinearPolicy({ ...law, weights: law.weights.map((row) => row.map(change)) });
  const observations = draft.golden.pairs.map(({ observation }) => [...observation]);
  const golden = { tolerance: 1e-5, pairs: await goldenPairs(model, 1, observations) };
  writeBundle(folder, { ...draft, id: ID, version, golden }, model, release);
}

/** A robot with version 1 in its folder of policies, and whoever signs its versions. */
async function startRobot(policyUpdates: object = {}) {
  let key: KeyObject | undefined;
  const robot = await TestRobot.withoutControl({
    bundles: async (folder, release) => {
      key = release;
      await writeVersion(join(folder, ID), 1, release);
    },
    config: {
      policyUpdates: {
        activation: 'operator',
        shadowSeconds: 1,
        trialSeconds: 2,
        keepVersions: 5,
        maxMegabytes: 200,
        ...policyUpdates,
      },
    },
  });
  await robot.startControl();
  if (!key) throw new Error('no bundle was written');
  const release = key;
  const incoming = join(robot.folder, 'state', 'policies', 'incoming');
  const find = (policies: readonly PolicyVersion[], version: number, id = ID) =>
    policies.find((one) => one.id === id && one.version === version);
  const stage = async (version: number, ...wanted: string[]): Promise<PolicyVersion> => {
    const { policies } = await robot.status(`version ${version} is ${wanted.join(' or ')}`, (status) => {
      const found = find(status.policies, version);
      if (found && !wanted.includes(found.stage) && ['refused', 'rolled-back'].includes(found.stage)) {
        throw new Error(`version ${version} is ${found.stage}: ${found.reasons.join('; ')}`);
      }
      return found !== undefined && wanted.includes(found.stage);
    });
    const found = find(policies, version);
    if (!found) throw new Error('it is gone');
    return found;
  };
  return {
    robot,
    release,
    incoming,
    stage,
    /** As the gateway does it. */
    offer: async (folder: string, write: (path: string) => unknown) => {
      await write(join(incoming, folder));
      const answer = await robot.control.request({ request: 'policy-vet', folder });
      if (!answer.ok) throw new Error(answer.refusal.message);
    },
    order: (action: PolicyAction, version: number, id = ID) =>
      robot.control.command({ name: 'policy', action, id, version }, robot.operator),
    /** What became of a bundle that was refused at the door. */
    refused: async (folder: string): Promise<PolicyVersion> => {
      const isIt = (one: PolicyVersion) => one.folder === folder && one.stage === 'refused';
      const { policies } = await robot.status(`${folder} is refused`, (status) => status.policies.some(isIt));
      const found = policies.find(isIt);
      if (!found) throw new Error('it is gone');
      return found;
    },
    everyFrameAnswered: async () => {
      const { counters } = await robot.control.status();
      expect(counters.answered).toBe(counters.frames);
      expect(counters['frames.lost']).toBe(0);
    },
  };
}

const hashes = (rows: readonly Row[]) => [
  ...new Set(rows.filter((row) => row.controller === 'policy').map((row) => row.policyHash)),
];

describe('a better version', () => {
  it('is vetted and shadowed while the robot stands on the one before it, takes over, and stays after its trial', async () => {
    const { robot, release, offer, order, stage, everyFrameAnswered } = await startRobot();
    // Made before the robot is armed: the process that tries policies is not started later.
    await offer('v2', (path) => writeVersion(path, 2, release, (weight) => 1.05 * weight));
    await stage(2, 'eligible');
    const rows = await robot.collectRows();
    await robot.stand(MODE);
    await offer('v3', (path) => writeVersion(path, 3, release, (weight) => 1.1 * weight));
    const eligible = await stage(3, 'eligible');
    expect(eligible.selfTest?.pairs).toBeGreaterThan(3);
    expect(eligible.replayed?.decisions).toBeGreaterThan(100);
    expect(eligible).toMatchObject({ active: false, reasons: [] });
    expect(await refusalOf(order('activate', 3))).toMatch(/not-shadowed/);
    await order('shadow', 3);
    await robot.status(
      'the shadow is complete',
      ({ policies }) => (policies.find(({ version }) => version === 3)?.shadow?.seconds ?? 0) >= 1,
    );
    const shadowed = await stage(3, 'eligible');
    expect(shadowed.shadow?.decisions).toBeGreaterThan(150);
    expect(shadowed.shadow?.rms).toBeGreaterThan(0);
    await robot.simulator.request('mark', { name: 'update' });
    await order('activate', 3);
    expect(await stage(3, 'active', 'committed')).toMatchObject({ active: true });
    const committed = await stage(3, 'committed');
    expect(committed).toMatchObject({ active: true, previous: false });
    expect(await stage(1, 'superseded')).toMatchObject({ previous: true, active: false });
    await robot.simulator.wait(0.5);
    expect(await robot.simulator.measure('update')).toMatchObject({ falls: 0 });
    await everyFrameAnswered();
    // Rows of one version and of the next are of different episodes.
    expect(hashes(rows)).toHaveLength(2);
    const swapped = rows.findIndex(
      (row, at) =>
        at > 0 &&
        row.controller === 'policy' &&
        row.policyHash !== rows[at - 1]?.policyHash &&
        rows[at - 1]?.controller === 'policy',
    );
    expect(swapped).toBeGreaterThan(0);
    expect(rows[swapped]?.episode).not.toBe(rows[swapped - 1]?.episode);

    // The way back, while it stands.
    expect(await refusalOf(order('rollback', 2))).toMatch(/previous/);
    await order('rollback', 1);
    expect(await stage(1, 'committed')).toMatchObject({ active: true });
    await robot.simulator.wait(0.5);
    expect(await robot.simulator.measure('update')).toMatchObject({ falls: 0 });
    await everyFrameAnswered();
  });

  it('takes over by itself where the rule says so, and runs again after a restart', async () => {
    const { robot, release, offer, stage } = await startRobot({ activation: 'after-shadow', trialSeconds: 1 });
    await robot.collectRows();
    await offer('v2', (path) => writeVersion(path, 2, release, (weight) => 1.05 * weight));
    await stage(2, 'shadow');
    await robot.stand(MODE);
    await stage(2, 'committed');
    await robot.killControl();
    await robot.startControl();
    expect(await stage(2, 'committed')).toMatchObject({ active: true });
    expect(await stage(1, 'superseded')).toMatchObject({ previous: true });
  });
});

describe('a version that throws the robot over', () => {
  it('is rolled back before it has, and the robot stands on the version before it', async () => {
    const { robot, release, offer, order, stage, everyFrameAnswered } = await startRobot({ trialSeconds: 60 });
    await offer('v2', (path) => writeVersion(path, 2, release, (weight) => -weight));
    await stage(2, 'eligible');
    await order('shadow', 2);
    await robot.stand(MODE);
    await robot.status(
      'the shadow is complete',
      ({ policies }) => (policies.find(({ version }) => version === 2)?.shadow?.seconds ?? 0) >= 1,
    );
    await stage(2, 'eligible');
    await robot.simulator.request('mark', { name: 'thrown' });
    await order('activate', 2);
    const back = await stage(2, 'rolled-back');
    expect(back.reasons[0]).toMatch(/^(lean|guard|failsafe): /);
    expect(await stage(1, 'committed')).toMatchObject({ active: true });
    await robot.simulator.wait(3);
    expect(await robot.simulator.measure('thrown')).toMatchObject({ falls: 0 });
    expect((await robot.control.status()).state).toBe('running');
    await everyFrameAnswered();
    // Not again.
    expect(await refusalOf(order('activate', 2))).toMatch(/failed/);
  });
});

describe('a bundle is refused with its reason', () => {
  it('whatever is wrong with it, and nothing of it is kept', async () => {
    const { robot, release, incoming, offer, refused, stage } = await startRobot();
    await offer('good', (path) => writeVersion(path, 5, release, (weight) => 1.01 * weight));
    await stage(5, 'eligible');
    // One bit between the gateway's check and control's reading.
    await offer('bit', async (path) => {
      await writeVersion(path, 6, release);
      const model = readFileSync(join(path, 'policy.onnx'));
      const middle = model.length >> 1;
      model[middle] = (model[middle] ?? 0) ^ 1;
      writeFileSync(join(path, 'policy.onnx'), model);
    });
    expect((await refused('bit')).reasons.join()).toMatch(/sha256/);
    await offer('older', (path) => writeVersion(path, 4, release, (weight) => 1.02 * weight));
    expect((await refused('older')).reasons).toEqual([expect.stringMatching(/^version: 4 is not above 5/)]);
    await offer('other', (path) => writeVersion(path, 5, release, (weight) => 1.03 * weight));
    expect((await refused('other')).reasons).toEqual([expect.stringMatching(/^version: another version 5/)]);
    await offer('stranger', (path) => writeVersion(path, 7, robot.operator));
    expect((await refused('stranger')).reasons.join()).toMatch(/not trusted to release/);
    mkdirSync(join(robot.folder, 'elsewhere'));
    await writeVersion(join(robot.folder, 'elsewhere'), 8, release);
    symlinkSync(join(robot.folder, 'elsewhere'), join(incoming, 'link'));
    await offer('link', () => undefined);
    expect((await refused('link')).reasons.join()).toMatch(/cannot be read/);
    await offer('inner-link', (path) => {
      mkdirSync(path);
      for (const name of ['policy.onnx', 'manifest.json', 'manifest.sig']) {
        symlinkSync(join(robot.folder, 'elsewhere', name), join(path, name));
      }
    });
    expect((await refused('inner-link')).reasons.join()).toMatch(/cannot be read/);
    // These are signed, and fail when they are run: nobody runs them but the process that tries them.
    await offer('nan', (path) => writeNonFiniteBundle(incoming, path.slice(incoming.length + 1), 0.25, release));
    await robot.status('what is no number is found', ({ policies }) =>
      policies.some(({ id, reasons }) => id === 'nan' && /extreme/.test(reasons.join())),
    );
    expect((await stage(5, 'eligible')).active).toBe(false);
    for (const name of ['..', '../policies', '/etc']) {
      const answer = await robot.control.request({ request: 'policy-vet', folder: name });
      expect(answer.ok).toBe(false);
    }
    await offer('twice', (path) => cpSync(join(incoming, 'good'), path, { recursive: true }));
    await robot.status('it is known', ({ policies }) =>
      policies.some(({ version, folder }) => version === 5 && folder === 'twice'),
    );
  });

  it('that is too slow, or whose process dies, while the robot stands and no frame waits for it', async () => {
    const { robot, release, offer, order, stage, everyFrameAnswered } = await startRobot();
    await offer('v2', (path) => writeVersion(path, 2, release, (weight) => 1.05 * weight));
    await stage(2, 'eligible');
    await robot.stand(MODE);
    await order('shadow', 2);
    const bench = familyOf(await robot.controlPid()).find(({ pid }) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('bench-process');
      } catch {
        return false;
      }
    });
    if (!bench) throw new Error('nothing tries policies');
    process.kill(bench.pid, 'SIGSTOP');
    const { policies } = await robot.status('the shadow that does not answer is dropped', ({ policies: all }) =>
      all.some(({ version, stage: now, reasons }) => version === 2 && now === 'eligible' && reasons.length > 0),
    );
    expect(policies.find(({ version }) => version === 2)?.reasons).toEqual([expect.stringMatching(/^slow: /)]);
    process.kill(bench.pid, 'SIGKILL');
    await offer('v3', (path) => writeVersion(path, 3, release, (weight) => 1.1 * weight));
    await robot.simulator.wait(1);
    // A process is made only while the robot is not armed.
    const waiting = (await robot.control.status()).policies.find(({ folder }) => folder === 'v3');
    expect(waiting).toMatchObject({ stage: 'downloaded' });
    await everyFrameAnswered();
    await robot.control.disarm();
    await stage(3, 'eligible');
  });
});

describe('a restart in the trial', () => {
  it('begins with the version before it, and so does a store that was changed', async () => {
    const { robot, release, offer, order, stage } = await startRobot({ trialSeconds: 600 });
    await offer('v2', (path) => writeVersion(path, 2, release, (weight) => 1.05 * weight));
    await stage(2, 'eligible');
    await order('activate', 2);
    expect(await stage(2, 'active')).toMatchObject({ active: true });
    await robot.killControl();
    await robot.startControl();
    expect((await stage(2, 'rolled-back')).reasons).toEqual([expect.stringMatching(/^restart: /)]);
    expect(await stage(1, 'committed')).toMatchObject({ active: true });
    // Tried again on an operator's word: it did nothing wrong. But its bytes are not what they were.
    const model = join(robot.folder, 'state', 'policies', 'store', ID, '2', 'policy.onnx');
    const bytes = readFileSync(model);
    bytes[bytes.length - 5] = (bytes.at(-5) ?? 0) ^ 4;
    writeFileSync(model, bytes);
    expect(await refusalOf(order('activate', 2))).toMatch(/not the one that was verified/);
    expect(await stage(1, 'committed')).toMatchObject({ active: true });
  });
});

describe('a kill -9 in the middle', () => {
  it('of each stage leaves what is whole, and the robot begins with what was committed', async () => {
    const { robot, release, offer, order, stage } = await startRobot({ trialSeconds: 600, shadowSeconds: 600 });
    const again = async () => {
      await robot.killControl();
      await robot.startControl();
      expect(await stage(1, 'committed')).toMatchObject({ active: true });
    };
    const write = (version: number) => (path: string) =>
      writeVersion(path, version, release, (weight) => weight + version / 1000);
    await offer('v2', write(2));
    await again();
    // The gateway offers again what it does not see.
    await robot.control.request({ request: 'policy-vet', folder: 'v2' });
    await stage(2, 'eligible');
    await offer('v3', write(3));
    await robot.status('it is under way', ({ policies }) => policies.some(({ version }) => version === 3));
    // What is told a moment before it is on the disk is offered again too, as version 2 was.
    const slots = join(robot.folder, 'state', 'policies', 'slots.json');
    await until('it is on the disk', () => /"version": 3\b/.test(readFileSync(slots, 'utf8')));
    await again();
    // Its tests go on by themselves.
    await stage(3, 'eligible');
    await order('shadow', 3);
    await stage(3, 'shadow');
    await again();
    await stage(3, 'eligible');
    await order('activate', 3);
    await stage(3, 'active');
    await again();
    await stage(3, 'rolled-back');
    await order('activate', 3);
    await order('rollback', 1);
    await again();
    expect((await stage(3, 'rolled-back')).active).toBe(false);
  });
});
