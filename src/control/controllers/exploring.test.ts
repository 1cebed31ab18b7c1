import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Exploration } from '../../messages/exploration.ts';
import { type ArmedMode, describeMode, modeSchema, needsHeartbeat } from '../../messages/mode.ts';
import { limitBit, limitNames } from '../../messages/states.ts';
import { loadRobot } from '../../robot/robot.ts';
import { conditionBit } from '../../safety/failsafe-table.ts';
import { enterMode, INITIAL_SAFETY_STATE } from '../../safety/supervisor.ts';
import { controlLoop, policies as loopPolicies } from '../control-loop.testing.ts';
import { McuWire } from '../frames.testing.ts';
import { observed } from '../ticks.testing.ts';
import { Controllers, type Decision } from './controllers.ts';
import { explorations } from './exploration.testing.ts';
import { FakePolicy } from './policy-runner.testing.ts';

const robot = loadRobot('wheel-legged');
const clock = { now: 0n };
const policies = new Map<string, FakePolicy>();
const controllers = new Controllers(robot, policies, () => clock.now);
const standing: ArmedMode = { task: 'standing-still', controller: 'balancer' };
const running = enterMode(INITIAL_SAFETY_STATE, standing);
const rough: Exploration = {
  seed: 3,
  episode: 0,
  wander: 0.5,
  wanderTime: 0.2,
  white: 0.5,
  mostTorque: 1.5,
  setPoint: 0.3,
  setPointTime: 2,
};
const EXPLORATION = limitBit('exploration');

const decide = (over: Parameters<typeof observed>[0] = {}, safety = running, sentTorque = 0): Promise<Decision> =>
  Promise.resolve(controllers.decide(observed(over), safety, sentTorque));

function exploringPolicy(options: ConstructorParameters<typeof FakePolicy>[1], exploration = rough): FakePolicy {
  const policy = new FakePolicy(clock, options);
  policies.set(policy.id, policy);
  controllers.begin({ task: policy.task, controller: policy.id, exploration });
  return policy;
}

beforeEach(() => {
  policies.clear();
  clock.now = 0n;
});

describe('a controller that explores', () => {
  it('asks for its own action with the noise of the seed on it, and says so', async () => {
    controllers.begin(standing);
    const calm = await decide();
    controllers.begin({ ...standing, exploration: { ...rough, setPoint: 0 } });
    const first = await decide();
    controllers.begin({ ...standing, exploration: { ...rough, setPoint: 0 } });
    expect(await decide()).toEqual(first);
    expect(first.request.total).not.toBe(calm.request.total);
    expect(first.controller).toBe('balancer');
    expect(limitNames(first.requestLimits)).toEqual(['exploration']);
    expect(calm.requestLimits).toBe(0);
  });

  it('without noise and set points does what it does without exploration', async () => {
    const nothing = { ...rough, wander: 0, white: 0, mostTorque: 0, setPoint: 0 };
    const course = async (mode: ArmedMode) => {
      controllers.begin(mode);
      const requests: Decision['request'][] = [];
      for (let tick = 0; tick < 50; tick++) {
        requests.push((await decide({ estimate: { pitch: 0.02 * Math.sin(tick), x: 0.01 * tick } })).request);
      }
      return requests;
    };
    expect(await course({ ...standing, exploration: nothing })).toEqual(await course(standing));
  });

  it('asks for no more than there is, whatever the noise', async () => {
    await fc.assert(
      fc.asyncProperty(explorations, fc.double({ min: -0.5, max: 0.5, noNaN: true }), async (exploration, pitch) => {
        controllers.begin({ ...standing, exploration });
        for (let tick = 0; tick < 10; tick++) {
          const { request } = await decide({ estimate: { pitch } });
          expect(Math.abs(request.total)).toBeLessThanOrEqual(robot.policy.torqueScale);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('draws once a decision: a policy that decides every fourth frame has its noise held with its action', async () => {
    const policy = exploringPolicy({ rate: 50, action: 0 });
    const totals: number[] = [];
    for (let frame = 0; frame < 16; frame++) totals.push((await decide({ sequence: frame })).request.total);
    expect(policy.asked.length).toBe(4);
    for (let decision = 0; decision < 4; decision++) {
      expect(new Set(totals.slice(4 * decision, 4 * decision + 4)).size).toBe(1);
    }
    expect(new Set(totals).size).toBe(4);
  });

  it('shows the policy the state as it is from the set point', async () => {
    const policy = exploringPolicy({ action: 0 }, { ...rough, wander: 0, white: 0 });
    for (let frame = 0; frame < 1000; frame++) await decide({ sequence: frame });
    const places = policy.asked.map(({ state }) => state.x);
    expect(Math.max(...places.map(Math.abs))).toBeGreaterThan(0.02);
    expect(Math.max(...places.map(Math.abs))).toBeLessThanOrEqual(0.3);
  });

  it('is not explored with while the failsafe table holds the robot', async () => {
    controllers.begin({ ...standing, exploration: rough });
    await decide();
    const held = await decide({}, { ...running, active: conditionBit('heartbeat-lost') });
    expect(held.requestLimits & EXPLORATION).toBe(0);
    expect(limitNames(held.requestLimits)).toEqual(['fallback']);
    const resting = await decide({}, { ...running, active: conditionBit('heartbeat-lost') });
    expect(Math.abs(resting.request.total)).toBeLessThan(0.2);
  });

  it('is not explored with when the balancer has to stand in for a policy that stumbles', async () => {
    exploringPolicy({ action: Number.NaN });
    const decision = await decide();
    expect(decision.controller).toBe('balancer');
    expect(limitNames(decision.requestLimits)).toEqual(['non-finite']);
  });
});

describe('a mode that explores', () => {
  it('wants an operator who watches, is named in words, and is strict', () => {
    const mode: ArmedMode = { ...standing, exploration: rough };
    expect(needsHeartbeat(mode)).toBe(true);
    expect(needsHeartbeat(standing)).toBe(false);
    expect(describeMode(mode)).toContain('exploring (seed 3, episode 0)');
    expect(modeSchema.safeParse(mode).success).toBe(true);
    for (const wrong of [
      { seed: -1 },
      { wander: -0.1 },
      { mostTorque: 21 },
      { setPointTime: 0 },
      { more: 1 },
      { white: Number.NaN },
    ]) {
      expect(modeSchema.safeParse({ ...mode, exploration: { ...rough, ...wrong } }).success).toBe(false);
    }
  });
});

/** The whole loop, which runs under this exploration with an operator who watches. */
function exploring(exploration: Exploration) {
  const loop = controlLoop();
  const wire = new McuWire();
  for (let frame = 0; frame < 200; frame++) loop.push(wire.sensors());
  const refusal = loop.enter({ ...standing, exploration });
  return { loop, refusal, frame: () => loop.push(wire.sensors({ state: 'active' })) };
}

describe('the whole loop', () => {
  const { wheelTorque, wheelTorqueSlew } = robot.limits;

  it('arms only for exploration that this robot takes, and never lets more out than its limits', () => {
    loopPolicies.clear();
    let armed = 0;
    const within = explorations.map((one) => ({
      ...one,
      wander: one.wander / 13,
      white: one.white / 13,
      mostTorque: one.mostTorque / 13,
      setPoint: one.setPoint / 9,
    }));
    fc.assert(
      fc.property(fc.oneof(explorations, within), (exploration) => {
        const { loop, refusal, frame } = exploring(exploration);
        const { wander, white, mostTorque, setPoint } = exploration;
        const takes = Math.max(wander, white, mostTorque) <= 1.5 && setPoint <= 0.5;
        expect([takes, refusal?.code]).toEqual(takes ? [true, undefined] : [false, 'not-armed: exploration']);
        if (!takes) return;
        armed += 1;
        let before: readonly number[] = [0, 0];
        for (let count = 0; count < 20; count++) {
          frame();
          const torque = loop.ticks.at(-1)?.command.wheelTorque ?? [Number.NaN, Number.NaN];
          for (const wheel of [0, 1]) {
            const now = torque[wheel] ?? Number.NaN;
            expect(Math.abs(now)).toBeLessThanOrEqual(wheelTorque);
            expect(Math.abs(now - (before[wheel] ?? 0))).toBeLessThanOrEqual(wheelTorqueSlew * 0.005 + 1e-9);
          }
          before = torque;
        }
        const row = loop.rows.at(-1);
        expect((row?.limits ?? 0) & EXPLORATION).toBe(EXPLORATION);
        expect(row?.requestedTorque).toBe(loop.ticks.at(-2)?.request.total);
      }),
      { numRuns: 15 },
    );
    expect(armed).toBeGreaterThan(2);
  });

  it('stops exploring when the operator is gone, and holds', () => {
    const { loop, refusal, frame } = exploring(rough);
    expect(refusal).toBeUndefined();
    for (let count = 0; count < 300; count++) frame();
    const last = loop.ticks.at(-1);
    expect(limitNames(last?.limits ?? 0)).toContain('fallback');
    expect(limitNames(last?.limits ?? 0)).not.toContain('exploration');
    expect(last?.robotState).toBe('running');
  });
});
