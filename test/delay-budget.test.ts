import { describe, expect, it } from 'vitest';
import { lastLine, refusalOf, SHIPPED_POLICIES, STAND, TestRobot, until } from './harness.ts';

/** A robot whose samples are old when they are sent: no host could balance it. */
const slowSensors = (text: string): string => {
  const slow = text.replace('sensingDelay: { value: 1,', 'sensingDelay: { value: 40,');
  if (slow === text) throw new Error('the robot file states sensingDelay in another way');
  return slow;
};

describe('the delay budget', () => {
  it('that does not fit refuses arming with its numbers, and doctor says what to mend', async () => {
    const robot = await TestRobot.start({ config: { delayCheck: 'refuse' }, robotFile: slowSensors });
    await robot.simulator.wait(2);
    const refusal = await refusalOf(robot.control.command({ name: 'mode', mode: STAND }, robot.operator));
    expect(refusal).toMatch(
      /delay-budget: [\d.]+ ms from sampling to torque with a p99\.9 latency of [\d.]+ ms, 34\.0 ms are tolerable/,
    );

    const doctor = await robot.order('doctor', '--json');
    expect(doctor.code).toBe(1);
    const said = lastLine(doctor);
    expect(said).toMatchObject({ ok: false, running: true, delay: { enforced: true, tolerable: 34 } });
    expect(said.findings).toContainEqual(expect.objectContaining({ id: 'delay-budget', verdict: 'fail' }));
    const words = await robot.order('doctor');
    expect(words.stdout).toContain('fail  delay-budget');
    expect(words.stdout).toContain('→ most of it is sensing, 40.0 ms');
  });

  it('that fits does not stand in the way', async () => {
    const robot = await TestRobot.start({ config: { delayCheck: 'refuse' } });
    // A machine that stalls may need to be asked again.
    await robot.arm();
    const { delay, state } = await robot.control.status();
    expect(state).toBe('running');
    expect(delay?.samples).toBeGreaterThanOrEqual(200);
  });

  it('is worked out from the robot file alone when control does not run', async () => {
    const robot = await TestRobot.withoutControl({ config: { delayCheck: 'refuse' } });
    const doctor = await robot.order('doctor', '--json');
    expect(doctor.code).toBe(0);
    expect(lastLine(doctor)).toMatchObject({ ok: true, running: false, delay: { samples: 0, tolerable: 34 } });
    const told = await until('what it says', async () => (await robot.order('doctor')).stdout);
    expect(told).toContain('warn  delay-samples: the latency of control was not measured');
  });
});

describe('the list of policies that may run', () => {
  it('keeps every other policy out, and says so', async () => {
    const robot = await TestRobot.start({
      config: { policyAllowList: ['moving-straight-balancer'], policies: [SHIPPED_POLICIES], policyLatencyBudget: 10 },
    });
    const { controllers, refusedPolicies } = await robot.control.status();
    expect(controllers.map(({ id }) => id)).toEqual(['moving-straight-balancer']);
    expect(refusedPolicies['standing-still-balancer']).toContain('not-allowed');
    const mode = { task: 'standing-still', controller: 'standing-still-balancer' } as const;
    expect(await refusalOf(robot.control.command({ name: 'mode', mode }, robot.operator))).toContain('not-allowed');
  });
});
