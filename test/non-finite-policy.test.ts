import { expect, it } from 'vitest';
import type { ArmedMode } from '../src/messages/mode.ts';
import { limitBit } from '../src/messages/states.ts';
import { conditionBit } from '../src/safety/failsafe-table.ts';
import { writeNonFiniteBundle } from './bundles.ts';
import { reasonsOf, TestRobot } from './harness.ts';

const mode: ArmedMode = { task: 'standing-still', controller: 'breaks-when-fast' };

it('a policy that answers NaN loses its place to the balancer, which holds the robot', async () => {
  const robot = await TestRobot.withoutControl({
    bundles: (folder, release) => writeNonFiniteBundle(folder, mode.controller, 0.25, release),
    // Whether this machine is fast enough is not the question here.
    config: { policyLatencyBudget: 10, realTimePriority: 50 },
  });
  await robot.startControl('run');
  const rows = await robot.collectRows();
  await robot.stand(mode);
  const before = await robot.control.status();
  expect(before.reasons).toEqual([]);
  expect(rows.some(({ controller }) => controller === 'policy')).toBe(true);

  await robot.simulator.request('mark', { name: 'pushed' });
  await robot.simulator.request('push', { newtons: 40, seconds: 0.1 });
  const status = await robot.status('the policy is out', (now) => reasonsOf(now).includes('policy-not-finite'));
  expect(status).toMatchObject({ state: 'running', mode });
  await robot.simulator.wait(3);
  expect(await robot.simulator.measure('pushed')).toMatchObject({ falls: 0 });
  expect((await robot.simulator.truth()).state).toBe('active');
  expect(reasonsOf(await robot.control.status())).toContain('policy-not-finite');

  const bad = rows.filter(({ limits }) => (limits & limitBit('non-finite')) !== 0);
  expect(bad.length).toBeGreaterThan(0);
  for (const row of bad) {
    expect(row.controller).toBe('balancer');
    expect(Number.isFinite(row.commandedTorque)).toBe(true);
  }
  const fallback = rows.filter(({ conditions }) => (conditions & conditionBit('policy-not-finite')) !== 0n);
  expect(fallback.slice(1).every(({ controller }) => controller === 'balancer')).toBe(true);
  expect(rows.every(({ commandedTorque }) => Number.isFinite(commandedTorque))).toBe(true);
});
