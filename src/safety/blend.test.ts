import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CONTROLLER_KINDS } from '../messages/row.ts';
import { limitNames } from '../messages/states.ts';
import { loadRobot } from '../robot/robot.ts';
import { Blend, type BlendInput, MOST_FADED } from './blend.ts';
import { anyNumber, anyRobotState } from './facts.testing.ts';
import { guard } from './guard.ts';

const robot = loadRobot('wheel-legged');
const dt = 0.005;
const frames = robot.timing.blend / dt;

const input = (over: Partial<BlendInput> = {}): BlendInput => ({
  request: { total: 0, steering: 0 },
  controller: 'balancer',
  policyHash: 0n,
  previous: [0, 0],
  running: true,
  dt,
  ...over,
});

/** A controller that has been in charge for long. */
function settled(controller: BlendInput['controller'] = 'balancer', policyHash = 0n): Blend {
  const blend = new Blend(robot);
  for (let frame = 0; frame < 2 * frames; frame++) blend.apply(input({ controller, policyHash }));
  return blend;
}

describe('a change of controller', () => {
  it.each([
    ['balancer to policy', 'balancer', 0n, 'policy', 7n],
    ['policy to balancer: fallback', 'policy', 7n, 'balancer', 0n],
    ['policy to policy', 'policy', 7n, 'policy', 8n],
  ] as const)('%s makes no step, and is over after the blend', (_what, from, fromHash, to, toHash) => {
    const blend = settled(from, fromHash);
    const next = {
      controller: to,
      policyHash: toHash,
      request: { total: 0.5, steering: 0.1 },
      previous: [0.1, -0.1],
    } as const;
    const first = blend.apply(input(next));
    expect(first.request.total).toBeCloseTo(0, 12);
    expect(first.request.steering).toBeCloseTo(0.1, 12);
    expect(limitNames(first.limits)).toEqual(['blend']);
    let before = first.request.total;
    for (let frame = 1; frame < frames; frame++) {
      const { request } = blend.apply(input(next));
      expect(request.total).toBeGreaterThan(before);
      before = request.total;
    }
    const after = blend.apply(input(next));
    expect(after.request.total).toBeCloseTo(0.5, 9);
    expect(blend.apply(input(next))).toEqual({ request: next.request, limits: 0 });
  });

  it('leaves the new controller all of its feedback from its first frame on', () => {
    const [calm, leaning] = [settled(), settled()];
    const change = { controller: 'policy', policyHash: 7n, previous: [0.2, 0.2] } as const;
    for (const blend of [calm, leaning]) blend.apply(input({ ...change, request: { total: 0.1, steering: 0 } }));
    const one = calm.apply(input({ ...change, request: { total: 0.1, steering: 0 } })).request.total;
    const other = leaning.apply(input({ ...change, request: { total: 1.1, steering: 0 } })).request.total;
    expect(other - one).toBeCloseTo(1, 12);
  });

  it('fades only a bump: a rescue from full torque the wrong way is taken at once, but for half of the scale', () => {
    const blend = settled('policy', 7n);
    const { request } = blend.apply(input({ request: { total: -3, steering: 0 }, previous: [1.5, 1.5] }));
    expect(request.total).toBeCloseTo(-3 + MOST_FADED * robot.policy.torqueScale, 12);
  });

  it('is nothing where the robot file wants none', () => {
    const blend = new Blend({ ...robot, timing: { ...robot.timing, blend: 0 } });
    const request = { total: 1, steering: 0 };
    expect(blend.apply(input({ request }))).toEqual({ request, limits: 0 });
  });
});

describe('a stop', () => {
  it('is not touched by a blend, whatever is going on', () => {
    fc.assert(
      fc.property(anyNumber, anyNumber, anyNumber, (total, left, right) => {
        const blend = settled();
        blend.apply(input({ controller: 'policy', request: { total, steering: 0 }, previous: [left, right] }));
        const request = { total, steering: 0 };
        expect(blend.apply(input({ request, running: false, previous: [left, right] }))).toEqual({
          request,
          limits: 0,
        });
      }),
    );
  });
});

describe('blend and guard together', () => {
  const frame = fc.record({
    robotState: anyRobotState,
    controller: fc.constantFrom(...CONTROLLER_KINDS),
    policyHash: fc.constantFrom(0n, 7n, 8n),
    request: fc.record({ total: anyNumber, steering: anyNumber }),
    dt: fc.oneof(anyNumber, fc.constant(dt)),
  });

  it('give a finite command within limits and slew, for any requests and any history', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 40 }), (history) => {
        const blend = new Blend(robot);
        let previous: readonly [number, number] = [0, 0];
        for (const { robotState, ...rest } of history) {
          const running = robotState === 'running';
          const { request } = blend.apply({ ...rest, previous, running });
          const { command } = guard({ robotState, request, previous, dt: rest.dt, session: 1, answers: 1 }, robot);
          const room = rest.dt > 0 ? robot.limits.wheelTorqueSlew * Math.min(rest.dt, 0.02) : 0;
          for (const wheel of [0, 1] as const) {
            const torque = command.wheelTorque[wheel];
            expect(Number.isFinite(torque)).toBe(true);
            expect(Math.abs(torque)).toBeLessThanOrEqual(robot.limits.wheelTorque);
            if (running) expect(Math.abs(torque - previous[wheel])).toBeLessThanOrEqual(room + 1e-12);
            else expect(torque).toBe(0);
          }
          previous = command.wheelTorque;
        }
      }),
      { numRuns: 300 },
    );
  });
});
