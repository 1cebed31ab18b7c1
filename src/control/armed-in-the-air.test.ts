import { expect, it, onTestFinished } from 'vitest';
import { loadRobot } from '../robot/robot.ts';
import { TwinLoop } from './twin-loop.testing.ts';

const robot = loadRobot('wheel-legged');

it.each(['standing-still', 'moving-straight'] as const)(
  'a robot that is armed for %s while somebody holds it in the air does not spin its wheels up',
  async (task) => {
    const one = await TwinLoop.create({ robot, seed: 1 });
    onTestFinished(() => one.sim.delete());
    one.arm({ task, controller: 'balancer' });
    // Picked up with the order, before the wheels have carried anything.
    one.body.lift();
    let fastest = 0;
    one.onFacts = ({ wheelSpeed }) => {
      if (one.loop.control.safety.robotState === 'running') fastest = Math.max(fastest, wheelSpeed);
    };
    one.run(5);
    expect(one.loop.control.safety.robotState).toBe('limp');
    expect([...one.tripped.keys()].some((id) => id === 'lift-off' || id === 'wheel-overspeed')).toBe(true);
    // Full torque takes a wheel that carries nothing to its limit in 50 ms; the table needs three frames more.
    expect(fastest).toBeLessThan(1.3 * robot.limits.wheelSpeed);
  },
);
