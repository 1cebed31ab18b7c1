import { describe, expect, it } from 'vitest';
import { loadRobot, type Robot } from '../robot/robot.ts';
import { designBalancer } from './balancer-design.ts';
import { add, largest } from './linear-algebra.ts';
import { closedLoopRadius, delayGain, delaySystem, solveLqr } from './lqr.ts';
import { discretise, linearModel, unstablePole } from './pendulum.ts';

const robot = loadRobot('wheel-legged');
const both = { position: true, integral: true };

describe('the pendulum', () => {
  it('falls at the pole of its linear model', () => {
    const pole = unstablePole(robot);
    expect(closedLoopRadius(discretise(linearModel(robot), 0.005), [0, 0, 0, 0])).toBeCloseTo(
      Math.exp(pole * 0.005),
      5,
    );
    expect(pole).toBeGreaterThan(5);
    expect(pole).toBeLessThan(20);
  });

  it('is pushed forward and leans back by a positive torque', () => {
    const [[, [v = 0] = [], , [pitchRate = 0] = []]] = [linearModel(robot).b];
    expect(v).toBeGreaterThan(0);
    expect(pitchRate).toBeLessThan(0);
  });
});

describe('the design of the balancer', () => {
  it.each([100, 200, 500, 1000])('is stable at %i Hz with its delay', (rate) => {
    const { gains, radius } = designBalancer(robot, rate, both);
    expect(radius).toBeLessThan(1);
    expect(gains.onTheWay).toHaveLength(Math.ceil((robot.timing.actuationDelay / 1000) * rate));
    // Against a fall forward: drive forward.
    expect(gains.pitch).toBeLessThan(0);
    expect(gains.pitchRate).toBeLessThan(0);
  });

  it('stays stable when the delay is three times as long as it was told', () => {
    const { gains } = designBalancer(robot, 1000, { position: true, integral: false });
    const real = delaySystem(discretise(linearModel(robot), 0.001), 15);
    const padded = [gains.x, gains.v, gains.pitch, gains.pitchRate, ...Array<number>(10).fill(0), ...gains.onTheWay];
    expect(closedLoopRadius(real, padded)).toBeLessThan(1);
  });

  it('answers a delay as the Riccati equation of the system with the inputs on their way does', () => {
    const system = discretise(linearModel(robot), 0.005);
    const weights = [4, 4, 25, 0.2];
    const predicted = delayGain(solveLqr(system, weights, 2), system, 3);
    const solved = solveLqr(delaySystem(system, 3), [...weights, 0, 0, 0], 2);
    expect(largest(add([predicted], [solved], -1))).toBeLessThan(1e-5 * largest([solved]));
  });

  it('leaves out what it is not to feed back', () => {
    const { gains } = designBalancer(robot, 200, { position: false, integral: false });
    expect(gains.x).toBe(0);
    expect(gains.integral).toBe(0);
    expect(gains.v).toBeLessThan(0);
  });

  it('refuses a robot that nothing can balance, and says what to look at', () => {
    const weightless: Robot = { ...robot, body: { ...robot.body, centerOfMassHeight: Number.NaN } };
    expect(() => designBalancer(weightless, 200, both)).toThrow(/does not settle/);
  });
});
