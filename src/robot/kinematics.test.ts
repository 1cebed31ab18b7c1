import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pitchOf, type Quaternion, rolled, rollOf, tiltOf, wrapAngle, yawOf } from './kinematics.ts';
import { loadRobot } from './robot.ts';

const product = (a: Quaternion, b: Quaternion): Quaternion => ({
  w: a.w * b.w - a.x * b.x - a.y * b.y - a.z * b.z,
  x: a.w * b.x + a.x * b.w + a.y * b.z - a.z * b.y,
  y: a.w * b.y - a.x * b.z + a.y * b.w + a.z * b.x,
  z: a.w * b.z + a.x * b.y - a.y * b.x + a.z * b.w,
});
const aboutX = (angle: number): Quaternion => ({ w: Math.cos(angle / 2), x: Math.sin(angle / 2), y: 0, z: 0 });
const aboutY = (angle: number): Quaternion => ({ w: Math.cos(angle / 2), x: 0, y: Math.sin(angle / 2), z: 0 });
const aboutZ = (angle: number): Quaternion => ({ w: Math.cos(angle / 2), x: 0, y: 0, z: Math.sin(angle / 2) });

const angle = (limit: number) => fc.double({ min: -limit, max: limit, noNaN: true });

describe('attitude', () => {
  it('finds yaw, pitch and roll of the rotation about z, then y, then x', () => {
    fc.assert(
      fc.property(angle(3.1), angle(1.5), angle(3.1), (yaw, pitch, roll) => {
        const attitude = product(product(aboutZ(yaw), aboutY(pitch)), aboutX(roll));
        expect(yawOf(attitude)).toBeCloseTo(yaw, 6);
        expect(pitchOf(attitude)).toBeCloseTo(pitch, 6);
        expect(rollOf(attitude)).toBeCloseTo(roll, 6);
      }),
    );
  });

  it('finds the tilt from the vertical whichever way the robot leans and heads', () => {
    fc.assert(
      fc.property(angle(3.1), angle(3.1), fc.double({ min: 0, max: 3.1, noNaN: true }), (yaw, way, tilt) => {
        const lean = product(product(aboutZ(way), aboutY(tilt)), aboutZ(-way));
        expect(tiltOf(product(lean, aboutZ(yaw)))).toBeCloseTo(tilt, 6);
      }),
    );
  });

  it('gives π/2, not NaN, when rounding carries the sine beyond 1', () => {
    const half = Math.SQRT1_2 + 1e-12;
    expect(pitchOf({ w: half, x: 0, y: half, z: 0 })).toBeCloseTo(Math.PI / 2, 9);
    expect(tiltOf({ w: 0, x: 1 + 1e-12, y: 0, z: 0 })).toBeCloseTo(Math.PI, 5);
  });

  it('wraps an angle to the shorter way round', () => {
    expect(wrapAngle(0.1)).toBe(0.1);
    expect(wrapAngle(Math.PI)).toBe(Math.PI);
    expect(wrapAngle(-Math.PI)).toBe(Math.PI);
    expect(wrapAngle(3.2)).toBeCloseTo(3.2 - 2 * Math.PI, 12);
    expect(wrapAngle(-20)).toBeCloseTo(-20 + 6 * Math.PI, 12);
  });
});

describe('wheel odometry', () => {
  const robot = loadRobot('wheel-legged');
  const still = { hip: 0.3, knee: -0.5, wheel: 0.2 };

  it('does not move when the body pitches over standing wheels', () => {
    // The body leans by 0.1: the encoder, against the shank, turns back by as much.
    const leaning = { ...still, wheel: still.wheel - 0.1 };
    expect(rolled(robot, leaning, leaning, 0.1)).toBeCloseTo(rolled(robot, still, still, 0), 12);
  });

  it('does not move when a leg bends over a standing wheel', () => {
    const bent = { hip: 0.5, knee: -0.9, wheel: 0.4 };
    expect(rolled(robot, bent, still, 0)).toBeCloseTo(rolled(robot, still, still, 0), 12);
  });

  it('is the mean of both wheels times the radius', () => {
    const zero = { hip: 0, knee: 0, wheel: 0 };
    expect(rolled(robot, { ...zero, wheel: 3 }, { ...zero, wheel: 1 }, 0)).toBeCloseTo(2 * robot.wheels.radius, 12);
  });
});
