import { describe, expect, it } from 'vitest';
import { loadRobot } from '../robot/robot.ts';
import { headingGains, headingTorque, shareTorque } from './heading.ts';

const robot = loadRobot('wheel-legged');
const { limit } = headingGains(robot);

describe('heading', () => {
  it('turns right, by the left wheel, when the robot points too far left', () => {
    expect(headingTorque(robot, 0.1, 0, 0)).toBeGreaterThan(0);
    expect(headingTorque(robot, -0.1, 0, 0)).toBeLessThan(0);
    expect(headingTorque(robot, 0, 0.1, 0)).toBeGreaterThan(0);
  });

  it('takes the shorter way round', () => {
    expect(headingTorque(robot, -3.1, 0, 3.1)).toBeGreaterThan(0);
  });

  it('takes no more than a fifth of what a wheel may', () => {
    expect(headingTorque(robot, 3, 5, 0)).toBe(limit);
    expect(limit).toBeCloseTo(robot.limits.wheelTorque / 5, 12);
  });

  it('comes back to the heading without ringing', () => {
    const { radius, track, mass, spinInertia } = robot.wheels;
    const inertia = robot.body.pitchInertia + 2 * (mass + spinInertia / radius ** 2) * (track / 2) ** 2;
    let yaw = 0.5;
    let yawRate = 0;
    for (let step = 0; step < 1000; step++) {
      yawRate -= ((headingTorque(robot, yaw, yawRate, 0) * track) / radius / inertia) * 0.005;
      yaw += yawRate * 0.005;
      expect(yaw).toBeGreaterThan(-0.01);
    }
    expect(Math.abs(yaw)).toBeLessThan(0.001);
  });

  it('adds up to the total, and gives way to balancing at the limit of a wheel', () => {
    expect(shareTorque(robot, 1, 0.2)).toEqual({ left: 0.7, right: 0.3 });
    const { wheelTorque } = robot.limits;
    expect(shareTorque(robot, 2 * wheelTorque, limit)).toEqual({ left: wheelTorque, right: wheelTorque });
    expect(shareTorque(robot, -9 * wheelTorque, limit)).toEqual({ left: -wheelTorque, right: -wheelTorque });
  });
});
