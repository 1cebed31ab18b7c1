import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ArmedMode } from '../../messages/mode.ts';
import { limitNames, ROBOT_STATES } from '../../messages/states.ts';
import { loadRobot } from '../../robot/robot.ts';
import { goodFacts } from '../../safety/facts.testing.ts';
import { type ConditionId, conditionBit, FAILSAFE_TABLE } from '../../safety/failsafe-table.ts';
import { enterMode, INITIAL_SAFETY_STATE, type SafetyState } from '../../safety/supervisor.ts';
import { observed } from '../ticks.testing.ts';
import { Controllers, type Decision } from './controllers.ts';
import { FakePolicy } from './policy-runner.testing.ts';

const robot = loadRobot('wheel-legged');
const standing: ArmedMode = { task: 'standing-still', controller: 'balancer' };
const underPolicy: ArmedMode = { task: 'standing-still', controller: 'fake' };
const running = enterMode(INITIAL_SAFETY_STATE, standing);
const inState = (robotState: SafetyState['robotState']): SafetyState => ({ ...running, robotState });
const heldBackBy = (id: ConditionId): SafetyState => ({ ...running, active: conditionBit(id) });
const holds = (id: ConditionId, facts: object) =>
  FAILSAFE_TABLE.find((row) => row.id === id)?.holds({ ...goodFacts, ...facts }, robot);

const clock = { now: 0n };
const policies = new Map<string, FakePolicy>();
// Designing the balancer is slow: one for all tests, and `begin` makes it as good as new.
const controllers = new Controllers(robot, policies, () => clock.now);

function withPolicy(options: ConstructorParameters<typeof FakePolicy>[1] = {}): FakePolicy {
  const policy = new FakePolicy(clock, options);
  policies.set(policy.id, policy);
  controllers.begin({ task: policy.task, controller: policy.id });
  return policy;
}

const decide = (
  over: Parameters<typeof observed>[0] = {},
  safety: SafetyState = running,
  sentTorque = 0,
): Promise<Decision> => Promise.resolve(controllers.decide(observed(over), safety, sentTorque));

beforeEach(() => {
  policies.clear();
  clock.now = 0n;
});

describe('nobody asks for torque', () => {
  it('before a mode has begun', async () => {
    const fresh = new Controllers(robot, policies, () => 0n);
    expect(fresh.decide(observed({ estimate: { pitch: 0.1 } }), running, 0)).toMatchObject({
      request: { total: 0, steering: 0 },
      controller: 'none',
    });
  });

  it.each(ROBOT_STATES.filter((state) => state !== 'running'))('while the robot is %s', async (state) => {
    const policy = withPolicy();
    const lean = { estimate: { pitch: 0.2, yaw: 1 } };
    expect(await decide(lean, inState(state))).toEqual({
      request: { total: 0, steering: 0 },
      controller: 'none',
      policyHash: 0n,
      observation: [],
      requestLimits: 0,
    });
    expect(policy.asked).toEqual([]);
  });
});

describe('the balancer', () => {
  it('answers at once and drives under a lean', () => {
    controllers.begin(standing);
    const forward = controllers.decide(observed({ estimate: { pitch: 0.05 } }), running, 0);
    expect(forward).toMatchObject({ controller: 'balancer', policyHash: 0n, requestLimits: 0 });
    expect((forward as Decision).request.total).toBeGreaterThan(0);
    controllers.begin(standing);
    const backward = controllers.decide(observed({ estimate: { pitch: -0.05 } }), running, 0);
    expect((backward as Decision).request.total).toBeLessThan(0);
  });

  it('holds the heading of the first frame of its mode', async () => {
    controllers.begin(standing);
    expect((await decide({ estimate: { yaw: 1 } })).request.steering).toBe(0);
    expect((await decide({ estimate: { yaw: 1.1 } })).request.steering).toBeGreaterThan(0);
    expect((await decide({ estimate: { yaw: 0.9 } })).request.steering).toBeLessThan(0);
    controllers.begin(standing);
    expect((await decide({ estimate: { yaw: 0.9 } })).request.steering).toBe(0);
  });

  it('stands where the robot is when its mode begins, wherever that is', async () => {
    controllers.begin(standing);
    const here = (await decide({ estimate: { x: 0 } })).request.total;
    controllers.begin(standing);
    expect((await decide({ estimate: { x: 25 } })).request.total).toBe(here);
  });

  it('follows the odometry and not the x of the task, whose origin moves', async () => {
    controllers.begin(standing);
    const origins = [0, 0, 3, 3];
    const totals: number[] = [];
    for (const origin of origins) {
      const state = { x: 3 - origin, v: 0, pitch: 0, pitchRate: 0 };
      totals.push((await decide({ origin, state, estimate: { x: 3 } })).request.total);
    }
    expect(totals.every((total) => Math.abs(total) < 1e-9)).toBe(true);
  });

  it('drives off for the speed of the mode, else for that of the task', async () => {
    const driveOff = async (mode: ArmedMode) => {
      controllers.begin(mode);
      let total = 0;
      for (let frame = 0; frame < 20; frame++) total = (await decide()).request.total;
      return total;
    };
    const task = await driveOff({ task: 'moving-straight', controller: 'balancer' });
    const faster = await driveOff({ task: 'moving-straight', controller: 'balancer', targetVelocity: 0.2 });
    const standingStill = await driveOff(standing);
    const told = await driveOff({ ...standing, targetVelocity: 0.2 });
    expect(task).toBe(faster);
    expect(told).toBe(task);
    expect(standingStill).toBeCloseTo(0, 9);
    expect(task).not.toBeCloseTo(0, 3);
  });
});

describe('a policy', () => {
  it('asks for its action times its scale and names itself', async () => {
    const policy = withPolicy({ action: -0.25 });
    const decision = await decide(
      { estimate: { x: 2, v: 0.1, pitch: 0.02, pitchRate: 0.3 }, sequence: 1 },
      running,
      0.7,
    );
    expect(decision).toMatchObject({
      request: { total: -0.75 },
      controller: 'policy',
      policyHash: 0xabcn,
      observation: [2, 0.1, 0.02, 0.3],
      requestLimits: 0,
    });
    expect(policy.asked).toEqual([{ state: { x: 2, v: 0.1, pitch: 0.02, pitchRate: 0.3 }, sentTorque: 0.7 }]);
  });

  it('forgets its history when its mode begins', () => {
    expect(withPolicy().resets).toBe(1);
  });

  it.each([
    [200, 1],
    [100, 2],
    [50, 4],
  ])('for %i Hz runs on every frame number %i from the first one on, its action held between', async (rate, every) => {
    const policy = withPolicy({ rate });
    const totals: number[] = [];
    for (let frame = 0; frame < 9; frame++) {
      policy.action = frame / 10;
      totals.push((await decide()).request.total);
    }
    const wanted = totals.map((_, frame) => 3 * ((frame - (frame % every)) / 10));
    expect(totals).toEqual(wanted.map((total) => expect.closeTo(total, 9)));
    expect(policy.asked).toHaveLength(Math.ceil(9 / every));
  });

  it('keeps its rate in time over lost frames', async () => {
    const policy = withPolicy({ rate: 50 });
    await decide();
    await decide({ lost: 2 });
    expect(policy.asked).toHaveLength(1);
    await decide();
    expect(policy.asked).toHaveLength(2);
    await decide({ lost: 100 });
    expect(policy.asked).toHaveLength(3);
  });

  it('does not run on a frame that was overtaken, but on the next that was not', async () => {
    const policy = withPolicy();
    await decide();
    policy.action = -1;
    expect((await decide({ superseded: true })).request.total).toBe(1.5);
    expect(policy.asked).toHaveLength(1);
    expect((await decide()).request.total).toBe(-3);
  });

  it('is clamped to its range, and the row says so', async () => {
    const policy = withPolicy({ rate: 100, action: 1.5 });
    const decision = await decide();
    expect(decision.request.total).toBe(3);
    expect(limitNames(decision.requestLimits)).toEqual(['policy-range']);
    expect(limitNames((await decide()).requestLimits)).toEqual(['policy-range']);
    policy.action = -7;
    expect((await decide()).request.total).toBe(-3);
    await decide();
    policy.action = 1;
    expect(limitNames((await decide()).requestLimits)).toEqual([]);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'that answers %d is replaced by the balancer, and the failsafe table hears of it',
    async (action) => {
      withPolicy({ action });
      const decision = await decide({ estimate: { pitch: 0.05 } });
      expect(decision).toMatchObject({ controller: 'balancer', policyHash: 0n });
      expect(limitNames(decision.requestLimits)).toEqual(['non-finite']);
      expect(decision.request.total).toBeGreaterThan(0);
      expect(holds('policy-not-finite', { policyNonFinite: controllers.nonFinite })).toBe(true);
    },
  );

  it('is asked again on the frame after one that it could not answer', async () => {
    const policy = withPolicy({ rate: 50, action: Number.NaN });
    await decide();
    policy.action = 0.1;
    expect(await decide()).toMatchObject({ controller: 'policy', request: { total: expect.closeTo(0.3, 9) } });
    expect(controllers.nonFinite).toBe(0);
  });

  it('that throws is replaced like one that answers no number', async () => {
    const policy = withPolicy();
    policy.decide = () => Promise.reject(new Error('the runtime is gone'));
    const decision = await decide();
    expect(decision.controller).toBe('balancer');
    expect(limitNames(decision.requestLimits)).toEqual(['non-finite']);
    expect(controllers.nonFinite).toBe(1);
  });

  it('has what it said too late thrown away: the balancer answers', async () => {
    const policy = withPolicy({ action: 0.9 });
    policy.took = 5.01;
    const decision = await decide({ estimate: { pitch: -0.05 } });
    expect(decision.controller).toBe('balancer');
    expect(decision.request.total).toBeLessThan(0);
    expect(limitNames(decision.requestLimits)).toEqual(['policy-late']);
  });

  it('that takes just as long as a frame period is in time', async () => {
    const policy = withPolicy();
    policy.took = 5;
    expect((await decide()).controller).toBe('policy');
    expect(controllers.lateness).toBe(0);
  });

  it('may be late twice close together, but not three times', async () => {
    const policy = withPolicy();
    const late = () => holds('policy-late', { policyLateness: controllers.lateness });
    policy.took = 6;
    await decide();
    await decide();
    expect(late()).toBe(false);
    await decide();
    expect(late()).toBe(true);
  });

  it('may be late now and then for ever', async () => {
    const policy = withPolicy();
    for (let run = 0; run < 200; run++) {
      policy.took = run % 5 === 0 ? 6 : 1;
      await decide();
      expect(holds('policy-late', { policyLateness: controllers.lateness })).toBe(false);
    }
  });

  it('that answers after another mode has begun neither drives nor spoils that mode', async () => {
    const policy = withPolicy({ action: Number.NaN });
    policy.took = 6;
    const pending = decide({ estimate: { pitch: 0.05 } });
    controllers.begin(standing);
    expect(await pending).toMatchObject({ controller: 'balancer', policyHash: 0n });
    expect([controllers.lateness, controllers.nonFinite]).toEqual([0, 0]);
  });

  it('is given a new chance by a new mode', async () => {
    const policy = withPolicy({ action: Number.NaN });
    policy.took = 6;
    await decide();
    expect([controllers.lateness, controllers.nonFinite]).toEqual([4, 1]);
    controllers.begin(underPolicy);
    expect([controllers.lateness, controllers.nonFinite]).toEqual([0, 0]);
  });
});

describe('in fallback', () => {
  it('the balancer answers in place of the policy, which is not run', async () => {
    const policy = withPolicy();
    const decision = await decide({ estimate: { pitch: 0.05 } }, heldBackBy('rate-off'));
    expect(decision.controller).toBe('balancer');
    expect(limitNames(decision.requestLimits)).toEqual(['fallback']);
    expect(policy.asked).toEqual([]);
  });

  it('the policy is asked afresh when the fallback is over', async () => {
    const policy = withPolicy({ rate: 50, action: 0.5 });
    await decide();
    for (let frame = 0; frame < 5; frame++) await decide({}, heldBackBy('rate-off'));
    policy.action = -0.5;
    expect((await decide()).request.total).toBe(-1.5);
  });

  it('the robot holds its place whatever speed its mode asks for', async () => {
    controllers.begin({ ...standing, targetVelocity: 0.5 });
    for (let frame = 0; frame < 20; frame++) {
      expect((await decide({}, heldBackBy('foreign-host'))).request.total).toBeCloseTo(0, 9);
    }
  });

  it('a warning alone changes nothing', async () => {
    withPolicy();
    expect((await decide({}, heldBackBy('battery-low'))).controller).toBe('policy');
  });
});

describe('preparing for the rate that the MCU announces', () => {
  it('takes the rate that is prepared already', () => {
    expect(controllers.prepare(200)).toBe(true);
  });

  it('refuses what no robot can have and stays as it was', () => {
    const absurd = fc.oneof(
      fc.integer({ min: -10, max: 49 }),
      fc.integer({ min: 1001, max: 0xffff }),
      fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, 0, -0),
    );
    fc.assert(
      fc.property(absurd, (rate) => {
        expect(controllers.prepare(rate)).toBe(false);
        expect(controllers.rate).toBe(200);
      }),
    );
  });

  it.each([50, 1000])('never throws at %i Hz, the end of what is usable, and says whether it can', (rate) => {
    const fresh = new Controllers(robot, policies, () => 0n);
    const can = fresh.prepare(rate);
    expect(fresh.rate).toBe(can ? rate : 200);
  });

  it('lets a policy of 50 Hz run on every eighth frame of 400 Hz', async () => {
    const fresh = new Controllers(robot, policies, () => clock.now);
    const policy = withPolicy({ rate: 50 });
    expect(fresh.prepare(400)).toBe(true);
    fresh.begin(underPolicy);
    for (let frame = 0; frame < 16; frame++) await fresh.decide(observed(), running, 0);
    expect(policy.asked).toHaveLength(2);
  });
});
