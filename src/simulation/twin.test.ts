import { afterEach, describe, expect, it } from 'vitest';
import { loadRobot, type Robot } from '../robot/robot.ts';
import { noGap } from './gap.ts';
import { servoLegs } from './hand.ts';
import { idealised } from './imperfections.ts';
import { SimulatedRobot } from './simulated-robot.ts';
import { type Torques, Twin, type TwinOptions } from './twin.ts';

const robot = loadRobot('wheel-legged');
const { hipStance, kneeStance } = robot.legs;
const stance = [hipStance, kneeStance, hipStance, kneeStance];
const off: Torques = { wheels: [0, 0], legs: [0, 0, 0, 0] };

/** Legs in stance, wheels by a plain state feedback on ground truth; [N·m] are of both wheels. */
function balance(twin: Twin): Torques {
  const { x, speed, pitch } = twin.truth();
  const rate = twin.read().gyro[1];
  const wheel = Math.max(-1.5, Math.min(1.5, (15 * pitch + 1.8 * rate + 2 * x + 2.5 * speed) / 2));
  return { wheels: [wheel, wheel], legs: servoLegs(robot, twin.pose(), stance) };
}

describe('the twin', () => {
  const made: Twin[] = [];
  const create = async (options: Partial<TwinOptions> = {}) => {
    const twin = await Twin.create({ robot, ...options });
    made.push(twin);
    return twin;
  };
  afterEach(() => {
    for (const twin of made.splice(0)) twin.delete();
  });

  it('stands in stance at a reset, its odometry where it is', async () => {
    const twin = await create();
    for (const start of [{}, { x: 0.4, pitch: 0.1, speed: 0.3, pitchRate: -0.5 }]) {
      twin.reset(start);
      const { x, pitch, speed } = { x: 0, pitch: 0, speed: 0, ...start };
      const readings = twin.read();
      const [hip, knee] = readings.legPosition;
      expect(twin.truth()).toMatchObject({ x: expect.closeTo(x, 4), pitch: expect.closeTo(pitch, 6), fallen: false });
      expect(robot.wheels.radius * (readings.wheelPosition[0] + hip + knee + pitch)).toBeCloseTo(x, 6);
      expect(robot.wheels.radius * (readings.wheelVelocity[0] + readings.gyro[1])).toBeCloseTo(speed, 6);
      twin.step(off);
      expect(twin.truth().speed).toBeCloseTo(speed, 1);
    }
  });

  it('balances at pitch 0', async () => {
    const twin = await create();
    twin.reset({ pitch: 0.1 });
    let sum = 0;
    for (let i = 0; i < 20_000; i++) {
      twin.step(balance(twin));
      if (i < 10_000) continue;
      sum += twin.truth().pitch / 10_000;
      expect(twin.truth().tilt).toBeLessThan(0.05);
    }
    expect(Math.abs(sum)).toBeLessThan(0.01);
    expect(twin.truth().height).toBeCloseTo(twin.stanceHeight, 2);
    expect(Math.abs(twin.truth().x)).toBeLessThan(0.2);
  });

  it('drives forward under positive torque, and leans back', async () => {
    const twin = await create();
    for (let i = 0; i < 100; i++) twin.step({ wheels: [0.5, 0.5], legs: servoLegs(robot, twin.pose(), stance) });
    expect(twin.truth().speed).toBeGreaterThan(0.05);
    expect(twin.truth().pitch).toBeLessThan(-0.01);
  });

  it('lies down when disarmed and stays there', async () => {
    const twin = await create();
    for (let i = 0; i < 4000; i++) twin.step(off);
    const floor = twin.model.id('geom', 'floor');
    const torso = ['torso', 'belly'].map((name) => twin.model.id('geom', name));
    const touching = twin.model
      .contacts()
      .filter((pair) => pair.includes(floor))
      .flat();
    expect(torso.some((part) => touching.includes(part))).toBe(true);
    expect(twin.truth().fallen).toBe(true);
    const { x, height } = twin.truth();
    let fastest = 0;
    for (let i = 0; i < 2000; i++) {
      twin.step(off);
      fastest = Math.max(fastest, ...twin.read().gyro.map(Math.abs));
    }
    expect(fastest).toBeLessThan(0.5);
    expect(twin.truth().x).toBeCloseTo(x, 1);
    expect(twin.truth().height).toBeCloseTo(height, 1);
  });

  it('survives full torque of all drives without exploding', async () => {
    const twin = await create();
    for (let i = 0; i < 3000; i++) {
      const sign = i % 400 < 200 ? 1 : -1;
      twin.step({ wheels: [6 * sign, -6 * sign], legs: [15 * sign, -15 * sign, -15 * sign, 15 * sign] });
      expect(Math.max(...twin.read().gyro.map(Math.abs))).toBeLessThan(100);
    }
    expect(twin.truth().height).toBeLessThan(1);
  });

  it('damps limp legs at 1 kHz without trembling', async () => {
    const twin = await create();
    const damping = robot.mcu.limpDamping;
    const limp = (): Torques => {
      const [a, b, c, d] = twin.read().legVelocity;
      return { wheels: [0, 0], legs: [-damping * a, -damping * b, -damping * c, -damping * d] };
    };
    for (let i = 0; i < 8000; i++) twin.step(limp());
    expect(Math.max(...twin.read().legVelocity.map(Math.abs))).toBeLessThan(0.2);
  });

  it('repeats itself bit by bit, also after other models were made', async () => {
    const run = (twin: Twin) => {
      twin.reset({ pitch: 0.05 });
      for (let i = 0; i < 2000; i++) twin.step(balance(twin));
      return twin.truth();
    };
    const first = await create();
    const result = run(first);
    const others = await Promise.all(Array.from({ length: 8 }, () => create()));
    expect(run(first)).toEqual(result);
    for (const other of others) expect(run(other)).toEqual(result);
  });

  it('says so when the state is no longer a number', async () => {
    const twin = await create();
    expect(() => twin.step({ wheels: [Number.NaN, 0], legs: [0, 0, 0, 0] })).toThrow(/not a number/);
  });

  it('stands upright against gravity, not against the floor, on a slope', async () => {
    const twin = await create({ gap: { ...noGap, slope: 0.1 } });
    expect(twin.truth().pitch).toBeCloseTo(0, 6);
    expect(twin.pose().orientation[2]).toBeCloseTo(Math.sin(0.05), 6);
    // uphill ahead: it rolls back
    for (let i = 0; i < 200; i++) twin.step({ wheels: [0, 0], legs: servoLegs(robot, twin.pose(), stance) });
    expect(twin.truth().x).toBeLessThan(-0.001);
  });
});

describe('the simulated robot', () => {
  /** Frames of two seconds under some torques. */
  async function frames(of: Robot, seed: number) {
    const body = await SimulatedRobot.create({ robot: of, seed, gap: { ...noGap, actionNoise: 0.1 } });
    const samples = [];
    for (let i = 0; i < 2000; i++) {
      body.step({ ...off, wheels: [0.3 * Math.sin(i / 50), 0.2] }, 'active');
      if (i % 5 === 0) samples.push(body.sample());
    }
    body.delete();
    return samples;
  }

  it('repeats itself bit by bit under the same seed and not under another', async () => {
    const first = await frames(robot, 7);
    expect(await frames(robot, 7)).toEqual(first);
    expect(await frames(robot, 8)).not.toEqual(first);
  });

  it('reads the truth where it is idealised', async () => {
    const body = await SimulatedRobot.create({ robot: idealised(robot) });
    body.step({ ...off, wheels: [1, 1] }, 'active');
    const { wheelTorqueMeasured, battery: _, temperature: __, ...readings } = body.sample();
    expect(readings).toEqual(body.twin.read());
    expect(wheelTorqueMeasured).toEqual([1, 1]);
    body.delete();
  });
});
