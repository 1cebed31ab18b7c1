import { expect, it } from 'vitest';
import { decodeRow } from '../../messages/row.ts';
import { completeManifest } from '../../policy/bundle.ts';
import { foreignModel, mjlabMetadata, standingOverrides } from '../../policy/import/foreign.testing.ts';
import { importPolicy } from '../../policy/import/import-policy.ts';
import { openPolicy } from '../controllers/policies.ts';
import type { PolicyRunner } from '../controllers/policy-runner.ts';
import { leaning, McuWire } from '../frames.testing.ts';
import { hashText } from '../tape/describe-run.ts';
import { policyKey } from './bundles.ts';
import { ReplayRun } from './replay-run.ts';
import { BOOT, robot, tapedLoop } from './taped-loop.testing.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A policy of joints whose every action depends on every number that it sees, its own latest actions among them. */
async function jointPolicy(): Promise<PolicyRunner> {
  const weights = Array.from({ length: 6 }, (_, action) =>
    Array.from({ length: 22 }, (_, at) => 0.03 * Math.sin(1 + 7 * action + 3 * at)),
  );
  const { bundle, reasons } = await importPolicy(foreignModel({ weights, metadata: mjlabMetadata(robot) }), {
    robot,
    overrides: standingOverrides,
    task: 'standing-still',
    id: 'joints',
    version: 1,
    from: 'joints.onnx',
    now: new Date(),
  });
  if (!bundle) throw new Error(reasons.join('\n'));
  return await openPolicy({ manifest: completeManifest(bundle.draft, bundle.model), model: bundle.model });
}

it('what a policy of joints made a robot do is computed again bit for bit, also from the middle', async () => {
  const policy = await jointPolicy();
  const loop = tapedLoop(new Map([[policy.id, policy]]), {
    snapshotFrames: 45,
  });
  const wire = new McuWire();
  const frames = async (many: number) => {
    for (let count = 0; count < many; count++) {
      loop.clock.now += 5_000_000n;
      const shake = 0.01 * Math.sin(count * 1.7);
      const { hipStance, kneeStance } = robot.legs;
      loop.push(
        wire.sensors({
          state: loop.control.safety.robotState === 'running' ? 'active' : 'idle',
          attitude: leaning(shake),
          gyro: [shake, -shake, shake / 2],
          acceleration: [shake, 0, 9.81 + shake],
          legPosition: [hipStance + shake, kneeStance, hipStance, kneeStance - shake],
          wheelVelocity: [0.2 + shake, 0.2 - shake],
          temperature: 30 + (count % 8),
        }),
      );
      await turn();
      await turn();
    }
  };
  await frames(120);
  expect(loop.enter({ task: 'standing-still', controller: 'joints' })).toBeUndefined();
  await frames(300);
  loop.tape.close();
  const legs = new Set(loop.ticks.map(({ command }) => command.legPosition.join()));
  expect(legs.size).toBeGreaterThan(40);
  expect(loop.rows.filter((bytes) => decodeRow(bytes)?.joints).length).toBeGreaterThan(250);

  for (const blocks of [loop.blocks, loop.blocks.slice(5)]) {
    const run = new ReplayRun({
      boot: BOOT,
      revision: 'test',
      policies: new Map([[policyKey('joints', hashText(policy.hash)), await jointPolicy()]]),
    });
    for (const row of loop.rows) run.row(row);
    for (const block of blocks) await run.block(block);
    await run.end();
    expect(run.first).toBeUndefined();
    expect(run.counters).toMatchObject({ commandsDifferent: 0, rowsDifferent: 0 });
    expect(run.counters.commands).toBeGreaterThan(250);
  }
});
