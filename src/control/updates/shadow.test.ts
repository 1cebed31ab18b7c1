import { describe, expect, it } from 'vitest';
import { loadRobot } from '../../robot/robot.ts';
import type { Observe } from './bench-messages.ts';
import { Shadow, type ShadowFrame } from './shadow.ts';

const frame: ShadowFrame = {
  task: 'standing-still',
  state: { x: 0, v: 0, pitch: 0, pitchRate: 0 },
  dtUs: 5000,
  lost: 0,
  first: false,
  superseded: false,
  limits: 0,
  robotState: 'running',
  requestedTorque: 0.3,
  commandedTorque: 0.3,
  body: { attitude: { w: 1, x: 0, y: 0, z: 0 }, angularVelocity: [0, 0, 0], jointPosition: [], jointVelocity: [] },
};

function shadow() {
  const asked: Observe[] = [];
  const it = new Shadow({
    ...{ id: 'standing', version: 2, task: 'standing-still', framesPerDecision: 2, wanted: 2, budgetUs: 1000 },
    robot: loadRobot('wheel-legged'),
    ask: (observe) => asked.push(observe),
  });
  const answer = () => {
    for (const { n } of asked.splice(0)) it.observed({ observed: n, torque: 0.6, tookUs: 100, outside: false });
  };
  return { it, asked, answer };
}

describe('a shadow', () => {
  it('decides at its own rate, and is complete after its time', () => {
    const { it: one, asked, answer } = shadow();
    for (let count = 0; count < 402; count++) {
      expect(one.frame(frame)).toBeUndefined();
      if (asked.length > 0 && count === 0) expect(asked[0]?.reset).toBe(true);
      answer();
    }
    expect(one.isComplete).toBe(true);
    expect(one.report).toMatchObject({ decisions: 201, outside: 0, p99Us: expect.any(Number) });
    expect(one.report.rms).toBeCloseTo(0.3 / loadRobot('wheel-legged').policy.torqueScale);
    expect(one.verdict()).toEqual([]);
  });

  it('whose process is left waiting is left out meanwhile, and begins anew', () => {
    const { it: one, asked, answer } = shadow();
    for (let count = 0; count < 1000; count++) expect(one.frame(frame)).toBeUndefined();
    const before = one.report.seconds;
    expect(asked).toHaveLength(50);
    expect(before).toBeLessThan(1);
    answer();
    one.frame(frame);
    one.frame(frame);
    expect(asked.map(({ reset }) => reset)).toEqual([true]);
    answer();
    for (let count = 0; count < 400; count++) {
      one.frame(frame);
      answer();
    }
    expect(one.isComplete).toBe(true);
  });

  it('whose process says nothing for long is given up', () => {
    const { it: one } = shadow();
    let against: string | undefined;
    for (let count = 0; count < 10_000 && against === undefined; count++) against = one.frame(frame);
    expect(against).toMatch(/^slow: /);
  });
});
