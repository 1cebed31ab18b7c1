import { describe, expect, it } from 'vitest';
import type { ArmedMode } from '../src/messages/mode.ts';
import { limitNames } from '../src/messages/states.ts';
import { loadRobot } from '../src/robot/robot.ts';
import { MOST_FADED } from '../src/safety/blend.ts';
import { reasons } from '../src/safety/supervisor.ts';
import { MOVE_BY_POLICY, SHIPPED_POLICIES, STAND, STAND_BY_POLICY, TestRobot } from './harness.ts';

const { torqueScale } = loadRobot('wheel-legged').policy;

/** What a loaded machine may bring about: these two are measured by the host's clock. */
const HOST_TIME = ['overrun', 'overrun-lasting', 'policy-late'];

describe('a robot on which nothing is wrong, through real processes and ONNX Runtime', () => {
  it('stands, moves and changes its controllers without one condition, and every change is blended', async () => {
    const robot = await TestRobot.start({
      config: { policies: [SHIPPED_POLICIES], policyLatencyBudget: 10, operatorHeartbeat: 0 },
    });
    const rows = await robot.collectRows();
    await robot.stand(STAND_BY_POLICY);
    await robot.simulator.wait(10);
    const modes: ArmedMode[] = [MOVE_BY_POLICY, STAND, MOVE_BY_POLICY, STAND_BY_POLICY, STAND];
    for (const mode of modes) {
      await robot.arm(mode);
      await robot.simulator.wait(4);
    }
    expect(await robot.simulator.truth()).toMatchObject({ state: 'active', falls: 0 });

    const running = rows.filter(({ robotState }) => robotState === 'running');
    expect(running.length).toBeGreaterThan(5000);
    const named = new Set(running.flatMap(({ conditions }) => reasons(conditions)));
    expect([...named].filter((id) => !HOST_TIME.includes(id))).toEqual([]);

    const changes = running.filter((row, index) => {
      const before = running[index - 1];
      return before && (before.controller !== row.controller || before.policyHash !== row.policyHash);
    });
    expect(changes.length).toBeGreaterThanOrEqual(modes.length);
    for (const [index, row] of running.entries()) {
      const before = running[index - 1];
      if (!before || !changes.includes(row)) continue;
      expect(limitNames(row.limits)).toContain('blend');
      // What is sent does not jump where who asks for it changes, but by what is too much to be faded.
      const beyond = Math.max(0, Math.abs(row.requestedTorque - before.commandedTorque) - MOST_FADED * torqueScale);
      expect(Math.abs(row.commandedTorque - before.commandedTorque)).toBeLessThan(beyond + 0.05);
    }
  });
});
