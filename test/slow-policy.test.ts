import { describe, expect, it } from 'vitest';
import type { ArmedMode } from '../src/messages/mode.ts';
import { limitBit } from '../src/messages/states.ts';
import { writeSlowBundle } from './bundles.ts';
import { reasonsOf, refusalOf, TestRobot } from './harness.ts';

const mode: ArmedMode = { task: 'standing-still', controller: 'slow' };
/** A frame comes every 5 ms [ms]. */
const RUN_TIME = 6.5;

describe('a policy that takes longer than a frame period', () => {
  it('is refused when control starts', async () => {
    const robot = await TestRobot.start({
      bundles: (folder, release) => writeSlowBundle(folder, 'slow', RUN_TIME, release),
      // as it ships
      config: { policyLatencyBudget: 0.5 },
    });
    const { refusedPolicies, controllers } = await robot.control.status();
    expect(refusedPolicies.slow).toMatch(/^latency: /);
    expect(controllers).toEqual([]);
    expect(await refusalOf(robot.control.command({ name: 'mode', mode }, robot.operator))).toMatch(/latency/);
  });

  it('loses its place to the balancer if it was let in, and the robot keeps standing', async () => {
    const robot = await TestRobot.start({
      bundles: (folder, release) => writeSlowBundle(folder, 'slow', RUN_TIME, release),
      config: { policyLatencyBudget: 10 },
    });
    const rows = await robot.collectRows();
    await robot.arm(mode);
    const status = await robot.status('the balancer is in charge', ({ limits }) => limits.includes('fallback'));
    expect(status).toMatchObject({ state: 'running', mode });
    expect(reasonsOf(status)).toContain('policy-late');
    await robot.truth('the hand has let go', ({ hand }) => !hand);
    await robot.simulator.request('mark', { name: 'late' });
    await robot.simulator.wait(3);
    expect(await robot.simulator.measure('late')).toMatchObject({ falls: 0 });
    expect((await robot.simulator.truth()).state).toBe('active');

    const running = rows.filter(({ robotState }) => robotState === 'running');
    const late = running.filter(({ limits }) => (limits & limitBit('policy-late')) !== 0);
    // Not one action of a run that was late has reached the wheels.
    expect(late.length).toBeGreaterThanOrEqual(3);
    expect(late.every(({ controller }) => controller === 'balancer')).toBe(true);
    const after = running.slice(running.findLastIndex(({ limits }) => (limits & limitBit('policy-late')) !== 0) + 1);
    expect(after.length).toBeGreaterThan(100);
    expect(after.every(({ controller, policyHash }) => controller === 'balancer' && policyHash === 0n)).toBe(true);
    const { counters } = await robot.control.status();
    expect(counters['frames.lost']).toBe(0);
    expect(counters.answered).toBe(counters.frames);
  });
});
