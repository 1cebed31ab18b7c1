import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limitNames } from '../messages/states.ts';
import { loadRobot } from '../robot/robot.ts';
import { anyNumber, anyRobotState } from './facts.testing.ts';
import { type GuardInput, guard } from './guard.ts';
import { stanceOf } from './leg-guard.ts';

const robot = loadRobot('wheel-legged');
const { motion, stiffness, torqueLimit } = robot.legs;
if (!motion) throw new Error('the robot that ships lets policies move its legs');
const stance = stanceOf(robot);
const least = [motion.hipLeast, motion.kneeLeast, motion.hipLeast, motion.kneeLeast] as const;
const most = [motion.hipMost, motion.kneeMost, motion.hipMost, motion.kneeMost] as const;
const lead = torqueLimit / stiffness;
const fixed = { ...robot, legs: { ...robot.legs, motion: undefined } };

const four = <T>(one: fc.Arbitrary<T>) => fc.tuple(one, one, one, one);
const anyAsked = four(fc.oneof(anyNumber, fc.double({ min: -3, max: 3 }), fc.constant(undefined)));
/** What the guard sent before is in range, or there is nothing before. */
const reachable = fc.option(
  fc.tuple(
    ...([0, 1, 2, 3] as const).map((joint) => fc.double({ min: least[joint], max: most[joint], noNaN: true })),
  ) as unknown as fc.Arbitrary<[number, number, number, number]>,
  { nil: undefined },
);
const anyInput: fc.Arbitrary<GuardInput> = fc.record({
  robotState: anyRobotState,
  request: fc.record({ total: anyNumber, steering: anyNumber, legs: fc.option(anyAsked, { nil: undefined }) }),
  previous: fc.tuple(anyNumber, anyNumber),
  previousLegs: reachable,
  measuredLegs: fc.option(four(fc.oneof(anyNumber, fc.double({ min: -3, max: 3 }))), { nil: undefined }),
  dt: anyNumber,
  session: fc.nat(),
  answers: fc.nat(0xffff),
});
const runs = { numRuns: 2000 };
const joints = [0, 1, 2, 3] as const;

const input = (over: Partial<GuardInput>): GuardInput => ({
  robotState: 'running',
  request: { total: 0, steering: 0 },
  previous: [0, 0],
  previousLegs: stance,
  measuredLegs: stance,
  dt: 0.005,
  session: 7,
  answers: 9,
  ...over,
});
const asking = (...legs: [number, number, number, number]) => ({ total: 0, steering: 0, legs });
const [hip, knee] = stance;

describe('whatever a policy asks of the legs', () => {
  it('no set-point leaves the range of its joint, and gains, velocities and torques are the robot file’s', () => {
    fc.assert(
      fc.property(anyInput, fc.option(four(anyNumber), { nil: undefined }), (any, previousLegs) => {
        const { command } = guard({ ...any, previousLegs }, robot);
        for (const joint of joints) {
          expect(command.legPosition[joint]).toBeGreaterThanOrEqual(least[joint]);
          expect(command.legPosition[joint]).toBeLessThanOrEqual(most[joint]);
        }
        expect(command).toMatchObject({ legVelocity: [0, 0, 0, 0], legTorque: [0, 0, 0, 0] });
        expect(new Set(command.legStiffness)).toEqual(new Set([stiffness]));
        expect(new Set(command.legDamping)).toEqual(new Set([robot.legs.damping]));
      }),
      runs,
    );
  });

  it('no set-point moves faster than the robot file lets it', () => {
    fc.assert(
      fc.property(anyInput, (any) => {
        const { command } = guard({ ...any, robotState: 'running' }, robot);
        const before = any.previousLegs ?? stance;
        for (const joint of joints) {
          const moved = Math.abs(command.legPosition[joint] - before[joint]);
          expect(moved).toBeLessThanOrEqual(motion.speed * 0.02 + 1e-12);
          if (!(any.dt > 0)) expect(moved).toBe(0);
        }
      }),
      runs,
    );
  });

  it('the servo is never asked for more than its torque, but to come back to where that is so', () => {
    fc.assert(
      fc.property(
        anyInput,
        anyAsked,
        four(fc.double({ min: -2.5, max: 2.5, noNaN: true })),
        (any, legs, measuredLegs) => {
          const { command } = guard(
            { ...any, robotState: 'running', measuredLegs, request: { ...any.request, legs } },
            robot,
          );
          const sound = legs.every((value) => value === undefined || Number.isFinite(value));
          for (const joint of joints) {
            if (!sound || legs[joint] === undefined) continue;
            const now = command.legPosition[joint];
            const before = any.previousLegs?.[joint] ?? stance[joint];
            const beyond = (target: number) => Math.max(0, Math.abs(target - measuredLegs[joint]) - lead);
            expect(beyond(now)).toBeLessThanOrEqual(beyond(before) + 1e-12);
          }
        },
      ),
      runs,
    );
  });

  it('no axle leaves its place under the body, but to come back', () => {
    const behind = ([hip, knee]: readonly [number, number]) =>
      Math.abs(
        motion.thigh * (Math.sin(hip) - Math.sin(stance[0])) +
          motion.shank * (Math.sin(hip + knee) - Math.sin(stance[0] + stance[1])),
      );
    fc.assert(
      fc.property(anyInput, four(fc.double({ min: -3, max: 3, noNaN: true })), (any, legs) => {
        const measuredLegs = any.measuredLegs ?? stance;
        const { command } = guard(
          { ...any, robotState: 'running', measuredLegs, request: { ...any.request, legs } },
          robot,
        );
        const before = any.previousLegs ?? stance;
        for (const [hip, knee] of [[0, 1] as const, [2, 3] as const]) {
          const most = Math.max(motion.axleShift, behind([before[hip], before[knee]]));
          expect(behind([command.legPosition[hip], command.legPosition[knee]])).toBeLessThanOrEqual(most + 1e-9);
        }
      }),
      runs,
    );
  });

  it('what changes it is named', () => {
    fc.assert(
      fc.property(anyInput, (any) => {
        const { command, limits } = guard({ ...any, robotState: 'running' }, robot);
        const asked = any.request.legs;
        if (asked === undefined) return;
        const same = joints.every(
          (joint) => (asked[joint] ?? command.legPosition[joint]) === command.legPosition[joint],
        );
        const named = limitNames(limits).some((name) => name === 'non-finite' || name.startsWith('leg-'));
        if (!same) expect(named).toBe(true);
      }),
      runs,
    );
  });

  it('a robot whose file does not let policies move its legs keeps its stance', () => {
    fc.assert(
      fc.property(anyInput, (any) => {
        const { command, limits } = guard(any, fixed);
        expect(command.legPosition).toEqual(stance);
        const asks = any.robotState === 'running' && any.request.legs?.some((value) => value !== undefined);
        expect(limitNames(limits).includes('leg-position')).toBe(asks === true);
      }),
      runs,
    );
  });

  it('the wheels are what they would be without it', () => {
    fc.assert(
      fc.property(anyInput, (any) => {
        const { legs: _, ...wheels } = any.request;
        expect(guard(any, robot).command.wheelTorque).toEqual(
          guard({ ...any, request: wheels }, robot).command.wheelTorque,
        );
      }),
      runs,
    );
  });
});

describe('guard of the legs', () => {
  it('lets a modest request through as it is and says that nothing acted', () => {
    const { command, limits } = guard(input({ request: asking(hip + 0.01, knee - 0.01, hip, knee) }), robot);
    expect(command.legPosition).toEqual([hip + 0.01, knee - 0.01, hip, knee]);
    expect(limits).toBe(0);
  });

  it('names each limit that acted', () => {
    const named = (over: Partial<GuardInput>) => limitNames(guard(input(over), robot).limits);
    expect(
      named({
        request: asking(9, knee, hip, knee),
        previousLegs: [most[0], knee, hip, knee],
        measuredLegs: [most[0], knee, hip, knee],
      }),
    ).toEqual(['leg-position']);
    expect(named({ request: asking(hip + 0.05, knee, hip, knee) })).toEqual(['leg-speed']);
    expect(named({ request: asking(hip + 0.2, knee, hip, knee), previousLegs: [hip + lead, knee, hip, knee] })).toEqual(
      ['leg-torque'],
    );
    expect(named({ request: asking(hip, Number.NaN, hip, knee) })).toEqual(['non-finite']);
    expect(named({ request: asking(hip, knee, hip, knee), measuredLegs: undefined })).toEqual(['leg-position']);
  });

  it('brings the legs back to their stance at their speed when nobody asks, and one that is no number counts as nobody', () => {
    const away = [most[0], most[1], least[2], least[3]] as const;
    const step = motion.speed * 0.005;
    const back = [most[0] - step, most[1] - step, least[2] + step, least[3] + step];
    expect(guard(input({ previousLegs: away, measuredLegs: away }), robot).command.legPosition).toEqual(back);
    const broken = input({
      previousLegs: away,
      measuredLegs: away,
      request: asking(most[0], Number.NaN, least[2], least[3]),
    });
    expect(guard(broken, robot).command.legPosition).toEqual(back);
  });
});
