import { afterEach, describe, expect, it } from 'vitest';
import { Estimator } from '../../control/estimate.ts';
import type { Sensed } from '../../control/tick.ts';
import { FrameDecoder, FrameEncoder } from '../../protocol/frame.ts';
import { Random } from '../../random.ts';
import { loadRobot } from '../../robot/robot.ts';
import type { TaskName } from '../../robot/tasks/task.ts';
import { tasks } from '../../robot/tasks/tasks.ts';
import { drawGap, loadGaps, readGap } from '../gap.ts';
import { servoLegs } from '../hand.ts';
import { MujocoModel } from '../mujoco.ts';
import { SimulatedRobot } from '../simulated-robot.ts';
import { Twin } from '../twin.ts';
import { WheelLegged, type WheelLeggedOptions } from './wheel-legged.ts';

const robot = loadRobot('wheel-legged');
const { hipStance, kneeStance } = robot.legs;
const stance = [hipStance, kneeStance, hipStance, kneeStance];

const made: { delete(): void }[] = [];
afterEach(() => {
  for (const one of made.splice(0)) one.delete();
});

async function create(options: Partial<WheelLeggedOptions> & { taskName?: TaskName } = {}): Promise<WheelLegged> {
  const { taskName = 'standing-still', ...rest } = options;
  const environment = await WheelLegged.create({ robot, task: tasks[taskName], dynamics: 'simulator', ...rest });
  made.push(environment);
  return environment;
}

const action = (value: number) => Float32Array.of(value);

/** A state feedback that balances. */
function balance([x = 0, v = 0, pitch = 0, rate = 0]: Float32Array): Float32Array<ArrayBuffer> {
  return action((15 * pitch + 1.8 * rate + 2 * x + 2.5 * v) / robot.policy.torqueScale);
}

/** All that is seen of an episode under that feedback. */
function* episode(environment: WheelLegged, seed: number, steps: number): Generator<string> {
  let observation = environment.reset(seed);
  for (let i = 0; i < steps; i++) {
    const step = environment.step(balance(observation));
    observation = step.observation;
    yield [...observation, step.reward, step.terminated].join(' ');
    if (step.terminated) break;
  }
  yield environment.digest();
}

describe('the wheel-legged environment', () => {
  it('is the robot on the serial port: same torques, same noise, same trajectory and readings bit by bit', async () => {
    const gaps = ['twin-d', 'joint-noise'];
    const seed = 7;
    const environment = await create({ dynamics: 'twin', gaps });
    const body = await SimulatedRobot.create({ robot, gap: loadGaps(gaps), seed });
    made.push(body);
    const estimator = new Estimator(robot);
    const encoder = new FrameEncoder();
    const decoder = new FrameDecoder({ from: 'mcu' });
    const told = (time: number) => {
      const bytes = encoder.encode(
        {
          ...{ kind: 'sensors', state: 'active', answered: 0, faults: 0, commandFresh: true },
          ...{ hasAttitude: true, hasWheelTorque: true, hasLegs: true },
          ...{ wheelTorqueApplied: [0, 0], legTorque: [0, 0, 0, 0] },
          ...body.sample(),
        } as const,
        time,
      );
      const [frame] = decoder.push(bytes);
      const sensed = { sensors: frame?.message, mcuTimeUs: time, first: time === 0, lost: 0 } as Sensed;
      return estimator.estimate(sensed).estimate;
    };

    let observation = environment.reset(seed, { start: 'rest' });
    const origin = told(0).x;
    for (let frame = 1; frame <= 400; frame++) {
      const step = environment.step(balance(observation));
      observation = step.observation;
      const wheel = Math.round(((environment.applied[0] ?? 0) * 1.5) / 0.001) * 0.001;
      for (let i = 0; i < 5; i++) {
        body.step({ wheels: [wheel, wheel], legs: servoLegs(robot, body.twin.pose(), stance) }, 'active');
      }
      expect(environment.twin.truth(), `frame ${frame}`).toEqual(body.truth());
      const { x, v, pitch, pitchRate } = told(5000 * frame);
      expect([...observation]).toEqual([x - origin, v, pitch, pitchRate].map(Math.fround));
      if (step.terminated) break;
    }
    expect(environment.twin.model.save()).toEqual(body.twin.model.save());
    expect(environment.tally.frames).toBeGreaterThan(100);
  });

  it('repeats itself bit by bit, alone and among others, also while new ones are made', async () => {
    const options = { dynamics: 'twin', gaps: ['twin-d'] } as const;
    const [a, b] = [await create(options), await create(options)];
    const alone = [...episode(a, 3, 200)];
    expect([...episode(b, 4, 200)]).not.toEqual(alone);
    const together: string[] = [];
    const other = episode(b, 4, 200);
    for (const line of episode(a, 3, 200)) {
      together.push(line);
      other.next();
      if (together.length === 70) await create({ ...options, gaps: ['randomised'] });
      if (together.length === 140) {
        // one model so large that the heap grows, which detaches every view on it
        const { position } = a.twin.model.views();
        made.push(await MujocoModel.compile('<mujoco><size memory="200M"/></mujoco>'));
        expect(position.length).toBe(0);
      }
    }
    expect(together).toEqual(alone);
  });

  it('starts as the seed says, within the spread of training, and upright for an evaluation', async () => {
    const environment = await create();
    const starts = Array.from({ length: 200 }, (_, seed) => [...environment.reset(seed)]);
    const widest = (index: number) => Math.max(...starts.map((start) => Math.abs(start[index] ?? 0)));
    for (const [index, limit] of [
      [0, 0.2],
      [2, 0.1],
      [3, 0.5],
    ] as const) {
      expect(widest(index)).toBeLessThanOrEqual(limit * (1 + 1e-6));
      expect(widest(index)).toBeGreaterThan(0.9 * limit);
    }
    expect([...environment.reset(9, { start: 'rest' })].every((value) => Math.abs(value) < 1e-9)).toBe(true);
  });

  it('knows no latency, friction or noise as simulator, and tells the truth', async () => {
    const environment = await create();
    let observation = environment.reset(1);
    for (let i = 0; i < 400; i++) observation = environment.step(balance(observation)).observation;
    const { x, speed, pitch } = environment.twin.truth();
    expect(observation[0]).toBeCloseTo(x, 3);
    expect(observation[1]).toBeCloseTo(speed, 3);
    expect(observation[2]).toBeCloseTo(pitch, 6);
    // the first frame already feels the torque, which the twin delays by as much
    environment.reset(1, { start: 'rest' });
    expect(environment.step(action(1)).observation[1]).toBeGreaterThan(0.01);
    const twin = await create({ dynamics: 'twin', slew: false });
    twin.reset(1, { start: 'rest' });
    twin.step(action(1));
    expect(Math.abs(twin.twin.truth().speed)).toBeLessThan(0.001);
    const loss = (one: WheelLegged) =>
      one.twin.model.constants().dofFrictionLoss[one.twin.model.constants().jointVelocity.at(-1) ?? 0];
    expect(loss(environment)).toBe(0);
    expect(loss(twin)).toBe(robot.wheels.dryFriction);
    expect(loss(await create({ gaps: ['twin-d'] }))).toBeCloseTo(0.12, 9);
  });

  it('holds an action over frames: reward their mean, the state that of the last', async () => {
    const [fine, coarse] = [await create({ dynamics: 'twin' }), await create({ dynamics: 'twin', hold: 4 })];
    fine.reset(2);
    coarse.reset(2);
    let held = action(0);
    for (let decision = 0; decision < 30; decision++) {
      const rewards = [0, 0, 0, 0].map(() => fine.step(held).reward);
      const step = coarse.step(held);
      held = balance(step.observation);
      expect(step.reward).toBeCloseTo(rewards.reduce((sum, reward) => sum + reward, 0) / 4, 12);
      expect(step.frames).toBe(4);
      expect(coarse.digest()).toBe(fine.digest());
    }
    expect(coarse.stepSeconds).toBeCloseTo(0.02, 12);
    expect(coarse.tally.frames).toBe(fine.tally.frames);
    expect(coarse.tally.returned).toBeCloseTo(fine.tally.returned, 9);
  });

  it('pays by the task what the sensors tell and the torque that was applied', async () => {
    const environment = await create({ dynamics: 'twin' });
    environment.reset(4);
    const { reward, observation, terminated } = environment.step(action(0.4));
    const [x = 0, v = 0, pitch = 0, rate = 0] = observation;
    expect(reward).toBeCloseTo(30 - (x * x + v * v + pitch * pitch + rate * rate) - 1.2 ** 2, 5);
    expect(terminated).toBe(false);
  });

  it('ends when it falls, and by time-out goes on where it is', async () => {
    const environment = await create({ episodeSteps: 50 });
    environment.reset(1);
    let step = environment.step(action(1));
    while (!step.terminated) step = environment.step(action(1));
    expect(Math.abs(environment.twin.truth().pitch)).toBeGreaterThan(robot.limits.tilt);
    expect(() => environment.step(action(0))).toThrow(/reset/);
    expect(step.truncated).toBe(false);

    let observation = environment.reset(1);
    for (let i = 1; i <= 50; i++) {
      step = environment.step(balance(observation));
      observation = step.observation;
      expect(step.truncated).toBe(i === 50);
    }
    const last = [...observation];
    expect([...environment.resume()]).toEqual(last);
    expect(environment.step(balance(observation)).truncated).toBe(false);
  });

  it('counts x anew after a time-out where the task travels, and only there', async () => {
    const environment = await create({ taskName: 'moving-straight', hold: 4 });
    expect(environment.episodeSteps).toBe(250);
    let observation = environment.reset(1, { start: 'rest' });
    for (let i = 0; i < 250; i++) {
      const [, v = 0, pitch = 0, rate = 0] = observation;
      observation = environment.step(balance(Float32Array.of(0, v - 0.2, pitch, rate))).observation;
    }
    expect(observation[0]).toBeGreaterThan(0.5);
    const v = observation[1];
    expect([...environment.resume()].slice(0, 2)).toEqual([0, v]);
    expect(environment.tally.maxAbsX).toBeGreaterThan(0);
  });

  it('limits the change of torque in the twin as the guard does, and cuts actions to their bounds', async () => {
    const environment = await create({ dynamics: 'twin' });
    environment.reset(1, { start: 'rest' });
    const applied = [5, 5, -1, -1, -1, -1].map((value) => {
      environment.step(action(value));
      return environment.applied[0];
    });
    expect(applied).toEqual([0.5, 1, 0.5, 0, -0.5, -1]);
    const plain = await create();
    plain.reset(1);
    plain.step(action(-3));
    expect(plain.applied[0]).toBe(-1);
  });

  it('refuses what is no action, and a gap that is none', async () => {
    const environment = await create();
    environment.reset(1);
    expect(() => environment.step(action(Number.NaN))).toThrow(/finite/);
    expect(() => environment.step(new Float32Array(2))).toThrow(/1 finite/);
    await expect(create({ gaps: ['no-such-gap'] })).rejects.toMatchObject({ codeName: 'fileUnreadable' });
    await expect(create({ hold: 1.5 })).rejects.toThrow(/whole frames/);
  });

  it('tells the readings of wheels, legs and IMU where that is asked for', async () => {
    const environment = await create({ observation: 'full', dynamics: 'twin' });
    const paper = await create({ dynamics: 'twin' });
    const observation = environment.reset(1);
    expect([...observation.subarray(0, 4)]).toEqual([...paper.reset(1)]);
    environment.step(action(0.1));
    const value = (name: string) => observation[environment.observationNames.indexOf(name)];
    expect(environment.observationSize).toBe(observation.length);
    expect(value('previousAction')).toBeCloseTo(0.1, 6);
    expect(value('accelerationZ')).toBeGreaterThan(5);
    expect(value('gyroY')).toBe(observation[3]);
    expect(value('upZ')).toBeCloseTo(1, 1);
    expect(Math.abs(value('hipLeft') ?? 9)).toBeLessThan(0.1);
    expect(observation.every(Number.isFinite)).toBe(true);
  });
});

describe('domain randomisation', () => {
  it('draws each episode from its seed, whatever went before', async () => {
    const options = { dynamics: 'simulator', gaps: ['randomised'] } as const;
    const [worn, fresh] = [await create(options), await create(options)];
    const mass = (environment: WheelLegged) =>
      environment.twin.model.constants().bodyMass.reduce((sum, one) => sum + one, 0);
    const masses = [1, 2, 3, 4, 5].map((seed) => {
      worn.reset(seed);
      worn.step(action(0.3));
      return mass(worn);
    });
    expect(new Set(masses).size).toBe(5);
    expect(Math.min(...masses)).toBeGreaterThanOrEqual(0.8 * 12);
    expect(Math.max(...masses)).toBeLessThanOrEqual(1.2 * 12);
    const [a, b] = [[...episode(worn, 5, 100)], [...episode(fresh, 5, 100)]];
    expect(mass(worn)).toBe(masses[4]);
    expect(a).toEqual(b);
  });

  it('stands each robot in the stance that its own weight gives', async () => {
    const environment = await create({ gaps: ['gravity-2x', 'randomised'] });
    environment.reset(3, { start: 'rest' });
    const gap = drawGap([readGap('gravity-2x'), readGap('randomised')], new Random(3 ^ 0x6a905));
    const settled = await Twin.create({ robot, gap });
    made.push(settled);
    const legs = environment.twin.read().legPosition;
    settled.read().legPosition.forEach((angle, joint) => {
      // of a sag of 40 mrad; see resettleSteps
      expect(Math.abs((legs[joint] ?? 9) - angle)).toBeLessThan(0.008);
    });
    expect(environment.twin.stanceHeight).toBeCloseTo(settled.stanceHeight, 3);
    const light = await Twin.create({ robot });
    made.push(light);
    expect(light.stanceHeight - settled.stanceHeight).toBeGreaterThan(0.002);
  });
});
