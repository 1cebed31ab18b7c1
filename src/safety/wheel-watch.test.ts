import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadRobot } from '../robot/robot.ts';
import { anyNumber } from './facts.testing.ts';
import { type WheelSample, WheelWatch } from './wheel-watch.ts';

const robot = loadRobot('wheel-legged');
const { radius, track, spinInertia } = robot.wheels;
const dt = 0.005;
const small = fc.double({ min: -1, max: 1, noNaN: true });

const rest: WheelSample = {
  groundSpeed: [0, 0],
  wheelVelocity: [0, 0],
  applied: [0, 0],
  measured: [0, 0],
  pitchRate: 0,
  yawRate: 0,
  forwardAcceleration: 0,
  dt,
  first: false,
};

describe('wheels that roll', () => {
  it('do not slip, however the body drives and turns over them', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(small, small), { minLength: 2, maxLength: 30 }), (drives) => {
        const watch = new WheelWatch(robot);
        let speed = 0;
        let yawRate = 0;
        for (const [acceleration, turn] of drives) {
          for (let frame = 0; frame < 10; frame++) {
            speed += acceleration * dt;
            yawRate += turn * dt;
            const groundSpeed = [-1, 1].map((side) => (speed + (side * yawRate * track) / 2) / radius);
            const [left = 0, right = 0] = groundSpeed;
            watch.update({ ...rest, groundSpeed: [left, right], yawRate, forwardAcceleration: acceleration });
            expect(watch.slip).toBeLessThan(0.1 * robot.limits.wheelSlip);
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  it.each([
    ['one wheel spins', [0, 20]],
    ['both wheels spin', [40, 40]],
    ['they spin against each other', [-20, 20]],
  ] as const)('slip when %s and the body stays where it is', (_what, [left, right]) => {
    const watch = new WheelWatch(robot);
    for (let frame = 0; frame < 30; frame++) watch.update(rest);
    let worst = 0;
    for (let frame = 1; frame <= 40; frame++) {
      const share = Math.min(1, frame / 20);
      watch.update({ ...rest, groundSpeed: [left * share, right * share] });
      worst = Math.max(worst, watch.slip);
    }
    expect(worst).toBeGreaterThan(robot.limits.wheelSlip);
  });
});

/** A wheel that has this inertia to turn, under a torque that changes its sign. */
function apparent(inertia: readonly [number, number], torque: number): number {
  const watch = new WheelWatch(robot);
  const speed = [0, 0];
  let least = Number.POSITIVE_INFINITY;
  for (let frame = 0; frame < 200; frame++) {
    const now = frame % 40 < 20 ? torque : -torque;
    for (const wheel of [0, 1]) speed[wheel] = (speed[wheel] ?? 0) + (now / (inertia[wheel] ?? 1)) * dt;
    const [left = 0, right = 0] = speed;
    watch.update({ ...rest, wheelVelocity: [left, right], applied: [now, now], measured: [now, now] });
    least = Math.min(least, watch.apparentInertia);
  }
  return least;
}

describe('the apparent inertia', () => {
  const ground = 2 * robot.limits.contactInertia;

  it('is that of the wheel alone when both are in the air', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.2, max: 1.5, noNaN: true }), (torque) => {
        expect(apparent([spinInertia, spinInertia], torque)).toBeLessThan(robot.limits.contactInertia);
      }),
      { numRuns: 30 },
    );
  });

  it('is not small while one wheel carries the robot', () => {
    for (const inertia of [
      [spinInertia, ground],
      [ground, spinInertia],
      [ground, ground],
    ] as const) {
      expect(apparent(inertia, 1)).toBeGreaterThan(robot.limits.contactInertia);
    }
  });

  it('is infinite where too little happens to tell', () => {
    expect(apparent([spinInertia, spinInertia], 0.01)).toBe(Number.POSITIVE_INFINITY);
    expect(apparent([1000, 1000], 1)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('torque', () => {
  it('that is not what was applied is found, on either wheel', () => {
    for (const dead of [0, 1]) {
      const watch = new WheelWatch(robot);
      for (let frame = 0; frame < 200; frame++) {
        const measured: [number, number] = [1.2, 1.2];
        measured[dead] = 0;
        watch.update({ ...rest, applied: [1.2, 1.2], measured });
      }
      expect(watch.torqueError).toBeGreaterThan(robot.limits.torqueError);
    }
  });

  it('that lags by a frame is none, and one that nobody measures is not known', () => {
    const watch = new WheelWatch(robot);
    for (let frame = 0; frame < 200; frame++) {
      const [now, before] = [Math.sin(frame / 4), Math.sin((frame - 1) / 4)];
      watch.update({ ...rest, applied: [now, now], measured: [before, before] });
      expect(watch.torqueError).toBeLessThan(0.2);
    }
    watch.update({ ...rest, measured: undefined });
    expect(watch.torqueError).toBeNaN();
  });
});

it('whatever wheels say, the watch does not throw, and forgets it', () => {
  const pair = fc.tuple(anyNumber, anyNumber);
  const sample = fc.record({
    groundSpeed: pair,
    wheelVelocity: pair,
    applied: pair,
    measured: pair,
    pitchRate: anyNumber,
    yawRate: anyNumber,
    forwardAcceleration: anyNumber,
    dt: anyNumber,
    first: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(sample, { maxLength: 20 }), (lies) => {
      const watch = new WheelWatch(robot);
      for (const lie of lies) watch.update(lie);
      watch.update({ ...rest, first: true });
      for (let frame = 0; frame < 200; frame++) watch.update(rest);
      expect(watch.slip).toBeLessThan(0.01);
      expect(watch.apparentInertia).toBe(Number.POSITIVE_INFINITY);
      expect(watch.torqueError).toBeLessThan(0.01);
    }),
  );
});
