import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ArmedMode } from '../messages/mode.ts';
import { loadRobot, modelsDirectory } from '../robot/robot.ts';
import type { Facts } from '../safety/facts.ts';
import { reasons } from '../safety/supervisor.ts';
import { TwinLoop, type TwinLoopOptions } from './twin-loop.testing.ts';

const robot = loadRobot('wheel-legged');
const standing: ArmedMode = { task: 'standing-still', controller: 'balancer' };
const moving: ArmedMode = { task: 'moving-straight', controller: 'balancer' };

async function twin(options: Partial<TwinLoopOptions> = {}): Promise<TwinLoop> {
  const one = await TwinLoop.create({ robot, seed: 1, ...options });
  onTestFinished(() => one.sim.delete());
  return one;
}

/** Largest of some facts while the robot is running, each in units of its own threshold. */
function margins(one: TwinLoop): Record<string, number> {
  const { limits, timing } = robot;
  const worst: Record<string, number> = {};
  one.onFacts = (facts: Facts) => {
    if (one.loop.control.safety.robotState !== 'running') return;
    const shares = {
      attitude: facts.attitudeError / 0.25,
      turning: facts.angularRate / limits.angularRate,
      slip: facts.wheelSlip / limits.wheelSlip,
      encoder: facts.encoderError / 0.5,
      drive: 0.4 / facts.driveGain - 0.4,
      inertia: limits.contactInertia / facts.apparentInertia,
      torque: facts.torqueError / limits.torqueError,
      stuck: facts.imuStuckUs / (timing.mcuWatchdog * 1000),
    };
    for (const [name, share] of Object.entries(shares)) worst[name] = Math.max(worst[name] ?? 0, share);
  };
  return worst;
}

describe('nothing trips on a robot on which nothing is wrong', () => {
  it.each([
    ['stands', standing, 1],
    ['stands', standing, 2],
    ['stands', standing, 3],
    ['moves', moving, 1],
    ['moves', moving, 2],
    ['moves', moving, 3],
  ])('that %s for a minute (%o, seed %i)', async (_what, mode, seed) => {
    const one = await twin({ seed });
    const worst = margins(one);
    one.arm(mode);
    one.run(60);
    expect([...one.tripped]).toEqual([]);
    expect(one.loop.control.safety.robotState).toBe('running');
    expect(one.sim.meter.falls).toBe(0);
    // Not only by luck: every detector is far from its threshold.
    for (const [name, share] of Object.entries(worst)) expect(share, name).toBeLessThan(0.35);
  });

  it.each([4, 5])('that is pushed about (seed %i)', async (seed) => {
    const one = await twin({ seed });
    one.arm(standing);
    one.run(3);
    for (const newtons of [40, -40, 60, -60, 80, -80, 120]) {
      one.body.push(newtons, 0.1);
      one.run(4);
    }
    expect([...one.tripped]).toEqual([]);
    expect(one.sim.meter.falls).toBe(0);
  });

  it('that changes its mode and its speed, fast', async () => {
    const one = await twin();
    for (const mode of [standing, moving, { ...moving, targetVelocity: 0.5 }, { ...moving, targetVelocity: -0.5 }]) {
      one.arm(mode);
      one.run(5);
    }
    expect([...one.tripped]).toEqual([]);
    expect(one.sim.meter.falls).toBe(0);
  });

  it('that is disarmed, lies on the floor, is lifted and stands again', async () => {
    const one = await twin();
    for (let day = 0; day < 3; day++) {
      one.arm(standing);
      one.run(3);
      one.loop.control.disarm();
      one.run(2);
      one.body.lift();
      one.run(2);
    }
    one.arm(standing);
    one.run(3);
    expect([...one.tripped]).toEqual([]);
    expect(one.loop.control.safety.robotState).toBe('running');
  });

  it.each(['friction-0.3x', 'twin-d', 'joint-noise'])('through the gap %s', async (gap) => {
    const one = await twin({ gaps: [join(modelsDirectory, 'gaps', `${gap}.yaml`)] });
    const early: string[] = [];
    one.onFacts = ({ tilt }) => {
      // A robot that falls for its gap may be told so.
      if (tilt < robot.limits.fallTilt && early.length === 0) early.push(...reasons(one.loop.control.safety.active));
    };
    one.arm(standing);
    one.run(10);
    expect(early).toEqual([]);
  });
});

describe('on the twin', () => {
  it('a running robot that somebody lifts stops its wheels before they run away', async () => {
    const one = await twin();
    one.arm(standing);
    one.run(3);
    let fastest = 0;
    one.onFacts = ({ wheelSpeed }) => {
      if (one.loop.control.safety.robotState === 'running') fastest = Math.max(fastest, wheelSpeed);
    };
    one.body.lift();
    one.run(3);
    expect(one.loop.control.safety.robotState).toBe('limp');
    expect(one.tripped.has('lift-off')).toBe(true);
    expect(one.tripped.has('wheel-overspeed')).toBe(false);
    expect(fastest).toBeLessThan(1.2 * robot.limits.wheelSpeed);
  });

  it('a push that nothing can save is foretold before the robot lies at the limit of tilt', async () => {
    const one = await twin();
    one.arm(standing);
    one.run(3);
    let tiltThen = 0;
    one.onFacts = ({ tilt }) => {
      if (tiltThen === 0 && one.loop.control.safety.robotState === 'limp') tiltThen = tilt;
    };
    one.body.push(400, 0.15);
    one.run(2);
    expect([...one.tripped.keys()][0]).toBe('fall-predicted');
    expect(tiltThen).toBeGreaterThan(0);
    expect(tiltThen).toBeLessThan(robot.limits.tilt);
    expect(one.loop.control.safety.robotState).toBe('limp');
  });
});
