import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limitNames } from '../messages/states.ts';
import { loadRobot } from '../robot/robot.ts';
import { anyNumber, anyRobotState } from './facts.testing.ts';
import { type GuardInput, guard } from './guard.ts';

const robot = loadRobot('wheel-legged');
const { wheelTorque: limit, wheelTorqueSlew: slew } = robot.limits;

const anyInput: fc.Arbitrary<GuardInput> = fc.record({
  robotState: anyRobotState,
  request: fc.record({ total: anyNumber, steering: anyNumber }),
  previous: fc.tuple(anyNumber, anyNumber),
  dt: anyNumber,
  session: fc.nat(),
  answers: fc.nat(0xffff),
});

/** What the guard did before is always in range; only then is a slew limit meaningful. */
const anyReachableInput = anyInput.map((input) => ({
  ...input,
  previous: input.previous.map((torque) => (Number.isFinite(torque) ? Math.min(Math.max(torque, -limit), limit) : 0)),
}));

const input = (over: Partial<GuardInput>): GuardInput => ({
  robotState: 'running',
  request: { total: 0, steering: 0 },
  previous: [0, 0],
  dt: 0.005,
  session: 7,
  answers: 9,
  ...over,
});

describe('guard', () => {
  it('never lets a torque beyond the limit of a wheel through, whatever comes in', () => {
    fc.assert(
      fc.property(anyInput, (any) => {
        const { command } = guard(any, robot);
        for (const torque of command.wheelTorque) expect(Math.abs(torque)).toBeLessThanOrEqual(limit);
      }),
    );
  });

  it('never changes a torque faster than the slew limit while running', () => {
    fc.assert(
      fc.property(anyReachableInput, ({ previous, ...rest }) => {
        const [left = 0, right = 0] = previous;
        const { command } = guard({ ...rest, previous: [left, right], robotState: 'running' }, robot);
        const step = slew * 0.02 + 1e-9;
        expect(Math.abs(command.wheelTorque[0] - left)).toBeLessThanOrEqual(step);
        expect(Math.abs(command.wheelTorque[1] - right)).toBeLessThanOrEqual(step);
      }),
    );
  });

  it('takes the limit of a stricter task at once, whatever was sent before', () => {
    const strict = { ...robot, limits: { ...robot.limits, wheelTorque: 0.4 } };
    fc.assert(
      fc.property(anyReachableInput, ({ previous, ...rest }) => {
        const [left = 0, right = 0] = previous;
        const { command } = guard({ ...rest, previous: [left, right], robotState: 'running' }, strict);
        for (const torque of command.wheelTorque) expect(Math.abs(torque)).toBeLessThanOrEqual(0.4);
      }),
    );
  });

  it('drives only while running', () => {
    fc.assert(
      fc.property(anyInput, (any) => {
        const { command } = guard(any, robot);
        if (any.robotState === 'running') expect(command.requestedState).toBe('active');
        else {
          expect(command.requestedState).not.toBe('active');
          expect(command.wheelTorque).toEqual([0, 0]);
        }
      }),
    );
  });

  it('answers the frame that it was given, with the time to live of the robot file', () => {
    const { command } = guard(input({}), robot);
    expect(command).toMatchObject({ session: 7, answers: 9, timeToLive: robot.timing.commandTimeToLive * 1000 });
  });

  it('lets a modest request through as it is and says that nothing acted', () => {
    const { command, limits } = guard(input({ request: { total: 0.4, steering: 0.05 } }), robot);
    expect(command.wheelTorque[0]).toBeCloseTo(0.25, 9);
    expect(command.wheelTorque[1]).toBeCloseTo(0.15, 9);
    expect(limits).toBe(0);
  });

  it('names each limit that acted', () => {
    const named = (over: Partial<GuardInput>) => limitNames(guard(input(over), robot).limits);
    expect(named({ request: { total: 100, steering: 0 }, previous: [limit, limit] })).toEqual(['torque']);
    expect(named({ request: { total: 2 * limit, steering: 0 } })).toEqual(['slew']);
    expect(named({ request: { total: Number.NaN, steering: 0 } })).toEqual(['non-finite']);
    expect(named({ robotState: 'braking' })).toEqual(['not-running']);
  });

  it('gives no room for a change when the time between frames is implausible', () => {
    for (const dt of [0, -1, Number.NaN]) {
      expect(guard(input({ dt, request: { total: 2, steering: 0 } }), robot).command.wheelTorque).toEqual([0, 0]);
    }
  });
});
