import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ArmedMode } from '../../messages/mode.ts';
import { JointAction } from '../../policy/joint-action.ts';
import { actionSchema, jointTermsOf } from '../../policy/manifest-terms.ts';
import { loadRobot } from '../../robot/robot.ts';
import { goodFacts } from '../../safety/facts.testing.ts';
import { type ConditionId, FAILSAFE_TABLE } from '../../safety/failsafe-table.ts';
import { enterMode, INITIAL_SAFETY_STATE } from '../../safety/supervisor.ts';
import { observed } from '../ticks.testing.ts';
import { Controllers } from './controllers.ts';
import { FakePolicy } from './policy-runner.testing.ts';

const robot = loadRobot('wheel-legged');
const standing: ArmedMode = { task: 'standing-still', controller: 'fake' };
const running = enterMode(INITIAL_SAFETY_STATE, standing);
const clock = { now: 0n };
const policies = new Map<string, FakePolicy>();
const controllers = new Controllers(robot, policies, () => clock.now);
const limit = robot.timing.policySaturation * 1e6;

let policy: FakePolicy;
beforeEach(() => {
  policy = new FakePolicy(clock);
  policies.set('fake', policy);
  controllers.begin(standing);
});

const decide = (dtUs = 5000) => controllers.decide(observed({ dtUs }), running, 0);
const holds = (id: ConditionId) =>
  FAILSAFE_TABLE.find((row) => row.id === id)?.holds(
    { ...goodFacts, policySaturatedUs: controllers.saturatedUs, policyOutOfRange: controllers.outOfRange },
    robot,
  );

describe('a policy that asks for all the torque there is', () => {
  it.each([1, -1, 7, -1e300])('for long is found, whatever it says: %d', async (action) => {
    policy.action = action;
    for (let frame = 0; frame * 5000 <= limit + 5000; frame++) {
      expect(holds('policy-saturated')).toBe(false);
      await decide();
    }
    await decide();
    expect(holds('policy-saturated')).toBe(true);
    controllers.begin(standing);
    expect(holds('policy-saturated')).toBe(false);
  });

  it('for a moment, or now to this side and now to that, only does its work', async () => {
    for (let frame = 0; frame < 1000; frame++) {
      policy.action = frame % 60 < 30 ? 2 : -2;
      await decide();
      expect(holds('policy-saturated')).toBe(false);
    }
    for (let frame = 0; frame < 1000; frame++) {
      policy.action = frame % 50 === 0 ? 0.99 : 1;
      await decide();
      expect(holds('policy-saturated')).toBe(false);
    }
  });

  it('is counted by the time between frames, for any actions and any frame times', async () => {
    const frame = fc.record({
      action: fc.double({ min: -3, max: 3, noNaN: true }),
      dtUs: fc.integer({ min: 0, max: 25_000 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(frame, { maxLength: 60 }), async (frames) => {
        controllers.begin(standing);
        let [action, end, expected] = [0, 0, 0];
        for (const next of frames) {
          const now = Math.abs(action) >= 1 ? Math.sign(action) : 0;
          expected = now !== 0 && now === end ? expected + next.dtUs : 0;
          end = now;
          policy.action = next.action;
          await decide(next.dtUs);
          expect(controllers.saturatedUs).toBe(expected);
          action = next.action;
        }
      }),
    );
  });
});

describe('a policy of joints', () => {
  const torques = ['wheelLeft', 'wheelRight'].map((name) => ({ name, kind: 'torque' }));
  const joints = new JointAction(jointTermsOf(actionSchema.parse({ terms: torques })) ?? []);

  it.each([
    ['both wheels', [1.5, 1.5]],
    ['one wheel', [0, -1.6]],
    ['a spin', [1e300, -1e300]],
  ])('that asks for all that there is, of %s, is found', async (_what, action) => {
    policies.set('fake', Object.assign(policy, { joints }));
    controllers.begin(standing);
    joints.decide([1.4, -1.4]);
    for (let frame = 0; frame * 5000 <= 2 * limit; frame++) await decide();
    expect(holds('policy-saturated')).toBe(false);
    joints.decide(action);
    for (let frame = 0; frame * 5000 <= limit + 10_000; frame++) await decide();
    expect(holds('policy-saturated')).toBe(true);
  });
});

describe('a policy that sees what it was not made for', () => {
  it('is found after five decisions in a row, and not if one of them was in range', async () => {
    policy.outOfRange = true;
    for (let decision = 0; decision < 4; decision++) await decide();
    expect(holds('policy-out-of-range')).toBe(false);
    policy.outOfRange = false;
    await decide();
    policy.outOfRange = true;
    for (let decision = 0; decision < 4; decision++) await decide();
    expect(holds('policy-out-of-range')).toBe(false);
    await decide();
    expect(holds('policy-out-of-range')).toBe(true);
  });
});
