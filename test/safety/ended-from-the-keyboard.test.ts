import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { MOVING, runningRobot } from './scenario.testing.ts';

it.each(['SIGINT', 'SIGHUP'] as const)(
  'a control that is ended by %s while the robot moves leaves no torque on',
  async (signal) => {
    const robot = await runningRobot(MOVING);
    robot.signal(signal);
    // It cannot be asked whether the signal has reached it; with the next frame it brakes.
    await delay(50);
    await robot.advance(0.1, 500);
    await robot.gone();
    await robot.advance(3);
    const { state } = await robot.truth();
    expect(['limp', 'idle']).toContain(state);
    const { lastActive, lastTorque } = await robot.measure();
    expect(lastActive).toBeLessThan(0.2);
    expect(lastTorque).toBeLessThan(1.5);
    expect(robot.judge.violations).toEqual([]);
  },
);
