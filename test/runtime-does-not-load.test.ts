import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { refusalOf, SHIPPED_POLICIES, STAND, STAND_BY_POLICY, TestRobot } from './harness.ts';

const NO_RUNTIME = fileURLToPath(new URL('fixtures/no-onnxruntime.cjs', import.meta.url));

it('an ONNX Runtime that does not load costs the policies and says so; control answers, and the balancer stands', async () => {
  const robot = await TestRobot.start({
    config: { policies: [SHIPPED_POLICIES] },
    environment: { NODE_OPTIONS: `--require ${NO_RUNTIME}` },
  });
  const { controllers, refusedPolicies } = await robot.control.status();
  expect(controllers).toEqual([]);
  expect(Object.keys(refusedPolicies).sort()).toEqual(['moving-straight-balancer', 'standing-still-balancer']);
  for (const reason of Object.values(refusedPolicies)) expect(reason).toContain('GLIBC_2.99');
  const refusal = await refusalOf(robot.control.command({ name: 'mode', mode: STAND_BY_POLICY }, robot.operator));
  expect(refusal).toContain('GLIBC_2.99');
  expect((await robot.control.status()).state).toBe('disarmed');

  await robot.stand(STAND);
  await robot.simulator.request('mark', { name: 'standing' });
  await robot.simulator.wait(2);
  expect(await robot.simulator.measure('standing')).toMatchObject({ falls: 0 });
  const { counters, state, reasons } = await robot.control.status();
  expect({ state, reasons }).toEqual({ state: 'running', reasons: [] });
  expect(counters.answered).toBe(counters.frames);
});
