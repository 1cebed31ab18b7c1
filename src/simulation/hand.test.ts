import { afterEach, describe, expect, it } from 'vitest';
import { loadRobot } from '../robot/robot.ts';
import { servoLegs } from './hand.ts';
import { SimulatedRobot, type SimulatedRobotOptions } from './simulated-robot.ts';
import type { Torques } from './twin.ts';

const robot = loadRobot('wheel-legged');
const { hipStance, kneeStance } = robot.legs;
const stance = [hipStance, kneeStance, hipStance, kneeStance];
const off: Torques = { wheels: [0, 0], legs: [0, 0, 0, 0] };

describe('the hand', () => {
  const made: SimulatedRobot[] = [];
  const create = async (options: Partial<SimulatedRobotOptions> = {}) => {
    const body = await SimulatedRobot.create({ robot, ...options });
    made.push(body);
    return body;
  };
  afterEach(() => {
    for (const body of made.splice(0)) body.delete();
  });
  const idle = (body: SimulatedRobot, milliseconds: number) => {
    for (let i = 0; i < milliseconds; i++) body.step(off, 'idle');
  };
  const expectStance = (body: SimulatedRobot) => {
    expect(body.truth().tilt).toBeLessThan(0.03);
    expect(Math.abs(body.truth().height - body.twin.stanceHeight)).toBeLessThan(0.02);
    for (const [joint, angle] of body.joints().legPosition.entries()) {
      expect(Math.abs(angle - (stance[joint] ?? 0))).toBeLessThan(0.1);
    }
  };

  it('holds a disarmed robot in its stance, if asked for', async () => {
    const body = await create({ hand: true });
    idle(body, 5000);
    expectStance(body);
    expect(body.held).toBe(true);
    expect(body.lifts).toBe(0);
    expect((await create()).held).toBe(false);
  });

  it('lifts a robot from where it lies, however it fell, and holds it', async () => {
    for (const push of [-60, 60]) {
      const body = await create();
      body.push(push, 0.2);
      idle(body, 4000);
      expect(body.truth().fallen).toBe(true);
      const { x } = body.truth();
      body.lift();
      idle(body, 1500);
      expectStance(body);
      // the torso stays where it is, the wheels come under it
      expect(Math.abs(body.truth().x - x)).toBeLessThan(0.35);
      idle(body, 3000);
      expectStance(body);
      expect(body.lifts).toBe(1);
    }
  });

  it('lets go smoothly once the MCU is active, and never comes back by itself', async () => {
    const body = await create({ hand: true });
    idle(body, 500);
    let fastest = 0;
    for (let i = 0; i < 3000; i++) {
      const { x, speed, pitch } = body.truth();
      const wheel = (15 * pitch + 1.8 * (body.twin.read().gyro[1] ?? 0) + 2 * x + 2.5 * speed) / 2;
      body.step({ wheels: [wheel, wheel], legs: servoLegs(robot, body.twin.pose(), stance) }, 'active');
      fastest = Math.max(fastest, Math.abs(body.truth().speed));
      if (i === 250) expect(body.held).toBe(false);
    }
    expectStance(body);
    expect(fastest).toBeLessThan(0.2);
    idle(body, 3000);
    expect(body.held).toBe(false);
    expect(body.truth().fallen).toBe(true);
  });
});
