import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadTrustStore } from '../keys/trust-store.ts';
import { loadRobot, modelsDirectory, type Robot } from '../robot/robot.ts';
import type { TaskState } from '../robot/tasks/task.ts';
import { createBalancer } from './balancer.ts';
import { Observer } from './observation.ts';
import { pendulumConstants } from './pendulum.ts';
import { loadPolicy } from './runtime.ts';
import { vetBundle } from './vet.ts';

const robot = loadRobot('wheel-legged');

/** Answers a state with the total torque [N·m]. */
type Controller = (state: TaskState) => number | Promise<number>;

interface World {
  /** the robot that really stands there */
  readonly real: Robot;
  readonly rate: number;
  /** torque command to torque [ms] */
  readonly delay: number;
  /** torque delivered per torque commanded */
  readonly motorConstant: number;
  /** what the attitude sensor adds [rad] */
  readonly pitchBias: number;
  readonly start: { readonly x: number; readonly pitch: number };
}

const world: World = {
  real: robot,
  rate: robot.policy.rate,
  delay: robot.timing.actuationDelay,
  motorConstant: 1,
  pitchBias: 0,
  start: { x: 0, pitch: 0 },
};

/** The planar wheeled pendulum, not linearised, with delay, dry friction and the noise of the twin's sensors. */
async function run(controller: Controller, seconds: number, changes: Partial<World> = {}) {
  const { real, rate, delay, motorConstant, pitchBias, start } = { ...world, ...changes };
  const { rollingMass: M, coupling: h, inertia: I, stiffness: G, radius: R } = pendulumConstants(real);
  const { wheelVelocityNoise, attitudeNoise, gyroNoise } = real.twin;
  const dt = 0.00025;
  const substeps = Math.round(1 / rate / dt);
  const pipe = Array<number>(Math.round(delay / 1000 / dt)).fill(0);
  const noise = gaussian(7);
  const path: { x: number; v: number; torque: number }[] = [];
  let { x, pitch } = start;
  let v = 0;
  let pitchRate = 0;
  let fell = false;

  for (let step = 0; step < seconds * rate && !fell; step++) {
    const torque = await controller({
      x,
      v: v + R * wheelVelocityNoise * noise(),
      pitch: pitch + pitchBias + attitudeNoise * noise(),
      pitchRate: pitchRate + gyroNoise * noise(),
    });
    for (let substep = 0; substep < substeps; substep++) {
      pipe.push(torque);
      const delivered = (pipe.shift() ?? 0) * motorConstant;
      const acting = delivered - 2 * real.wheels.dryFriction * Math.tanh((v / R - pitchRate) / 0.02);
      // M ẍ + h cosθ θ̈ = τ/R + h sinθ θ̇²;  h cosθ ẍ + I θ̈ = G sinθ − τ
      const c = h * Math.cos(pitch);
      const forward = acting / R + h * Math.sin(pitch) * pitchRate ** 2;
      const over = G * Math.sin(pitch) - acting;
      v += (dt * (I * forward - c * over)) / (M * I - c * c);
      pitchRate += (dt * (M * over - c * forward)) / (M * I - c * c);
      x += dt * v;
      pitch += dt * pitchRate;
    }
    path.push({ x, v, torque });
    fell = Math.abs(pitch) > real.limits.tilt;
  }
  const settled = path.slice(5 * rate);
  return {
    fell,
    /** the worst after 5 s */
    maxAbsX: Math.max(...settled.map((at) => Math.abs(at.x))),
    meanSpeed: settled.reduce((sum, at) => sum + at.v, 0) / settled.length,
    rmsTorque: Math.sqrt(settled.reduce((sum, at) => sum + at.torque ** 2, 0) / settled.length),
    maxTorque: Math.max(...path.map((at) => Math.abs(at.torque))),
  };
}

function gaussian(seed: number): () => number {
  let state = seed;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

const scaledMass = (factor: number): Robot => ({
  ...robot,
  body: { ...robot.body, mass: robot.body.mass * factor, pitchInertia: robot.body.pitchInertia * factor },
});

function balancer(targetVelocity = 0, rate: number = robot.policy.rate): Controller {
  const { act } = createBalancer(robot, rate);
  return (state) => act(state, { targetVelocity, originX: 0 });
}

const displaced = { start: { x: 0.1, pitch: 0.1 } };

describe('the balancer on the pendulum that is not linear', () => {
  it.each([5, 7.5, 10])('stands for 20 s with %d ms of delay, back at its place', async (delay) => {
    const result = await run(balancer(), 20, { ...displaced, delay });
    expect(result).toMatchObject({ fell: false });
    expect(result.maxAbsX).toBeLessThan(0.1);
    expect(result.rmsTorque).toBeLessThan(0.05 * robot.policy.torqueScale);
  });

  it.each([100, 200, 500, 1000])('stands at %i Hz', async (rate) => {
    const result = await run(balancer(0, rate), 20, { ...displaced, rate });
    expect(result).toMatchObject({ fell: false });
    expect(result.maxAbsX).toBeLessThan(0.1);
  });

  const wrongRobots: readonly [string, Partial<World>][] = [
    ['a fifth lighter', { real: scaledMass(0.8) }],
    ['a fifth heavier', { real: scaledMass(1.2) }],
    ['with motors at 0.7', { motorConstant: 0.7 }],
    ['without dry friction', { real: { ...robot, wheels: { ...robot.wheels, dryFriction: 0 } } }],
    ['with its attitude sensor 0.02 rad off', { pitchBias: 0.02 }],
  ];
  it.each(wrongRobots)('stands on a robot %s', async (_name, changes) => {
    const result = await run(balancer(), 20, { ...displaced, delay: 10, ...changes });
    expect(result).toMatchObject({ fell: false });
    expect(result.maxAbsX).toBeLessThan(0.1);
  });

  it.each([
    [0.2, {}],
    [0.2, { delay: 10 }],
    [-0.2, {}],
    [0.2, { motorConstant: 0.7, delay: 10 }],
    [0.2, { real: scaledMass(1.2), delay: 10 }],
  ])('moves at %s m/s', async (speed, changes) => {
    const result = await run(balancer(speed), 20, changes);
    expect(result).toMatchObject({ fell: false });
    expect(Math.abs(result.meanSpeed - speed)).toBeLessThan(0.02);
  });

  it('catches a lean of 0.3 rad, and never asks for more than the torque scale', async () => {
    const result = await run(balancer(), 10, { start: { x: 0, pitch: 0.3 } });
    expect(result).toMatchObject({ fell: false });
    expect(result.maxTorque).toBe(robot.policy.torqueScale);
  });

  it('holds where it is when a moving robot is handed over to it', async () => {
    const moving = balancer(0.2);
    const holding = createBalancer(robot);
    let decisions = 0;
    let handedOverAt = 0;
    let last = 0;
    const result = await run((state) => {
      if (decisions++ < 1000) {
        handedOverAt = state.x;
        return moving(state);
      }
      last = state.x;
      return holding.act(state, { targetVelocity: 0 });
    }, 20);
    expect(result).toMatchObject({ fell: false });
    expect(last - handedOverAt).toBeLessThan(0.15);
  });
});

/** A policy that ships, run as a robot runs it: observer, ONNX Runtime, previous action. */
async function shipped(name: string, targetVelocity: number): Promise<Controller> {
  const directory = join(modelsDirectory, 'policies', name);
  const trust = loadTrustStore(join(modelsDirectory, 'keys', 'demo-trust.yaml'));
  const { bundle, reasons } = await vetBundle(directory, { robot, trust, now: Date.parse('2026-06-01') });
  if (!bundle) throw new Error(reasons.join('\n'));
  const session = await loadPolicy(bundle);
  const observer = new Observer(bundle.manifest.observation);
  let previousAction = 0;
  return async (state) => {
    const [action = Number.NaN] = await session.run(observer.observe({ ...state, targetVelocity, previousAction }));
    previousAction = action;
    return action * bundle.manifest.action.terms[0].scale;
  };
}

describe('the policies that ship, through ONNX Runtime on the same pendulum', () => {
  it.each([5, 10])('standing-still-balancer stands for 20 s with %d ms of delay', async (delay) => {
    const result = await run(await shipped('standing-still-balancer', 0), 20, { ...displaced, delay });
    expect(result).toMatchObject({ fell: false });
    expect(result.maxAbsX).toBeLessThan(0.1);
  });

  it.each([5, 10])('moving-straight-balancer moves at 0.2 m/s with %d ms of delay', async (delay) => {
    const result = await run(await shipped('moving-straight-balancer', 0.2), 20, {
      start: { x: 0, pitch: 0.1 },
      delay,
    });
    expect(result).toMatchObject({ fell: false });
    expect(Math.abs(result.meanSpeed - 0.2)).toBeLessThan(0.01);
  });
});

describe('one decision of the balancer', () => {
  const upright: TaskState = { x: 0, v: 0, pitch: 0, pitchRate: 0 };

  it('is NaN for a state that is not finite, and forgets it', () => {
    const one = createBalancer(robot);
    expect(one.act({ ...upright, v: Number.NaN }, { targetVelocity: 0 })).toBeNaN();
    expect(one.act(upright, { targetVelocity: 0 })).toBeCloseTo(0, 12);
  });

  it('starts where it is after a reset', () => {
    const one = createBalancer(robot);
    for (let step = 0; step < 100; step++) one.act({ ...upright, pitch: 0.05 }, { targetVelocity: 0.2 });
    one.reset();
    expect(one.act({ ...upright, x: 5 }, { targetVelocity: 0 })).toBeCloseTo(0, 12);
  });

  it('counts with the torque that was sent, where the guard changed its own', () => {
    const [kept, cut] = [createBalancer(robot), createBalancer(robot)];
    const leaning = { ...upright, pitch: 0.05 };
    kept.act(leaning, { targetVelocity: 0 });
    cut.act(leaning, { targetVelocity: 0 });
    // Less than it asked for is on its way: it must ask for more.
    expect(cut.act(leaning, { targetVelocity: 0, sentTorque: 0 })).toBeGreaterThan(
      kept.act(leaning, { targetVelocity: 0 }),
    );
  });

  it('does not follow a target beyond the limit of the robot', () => {
    const [much, most] = [createBalancer(robot), createBalancer(robot)];
    for (let step = 0; step < 400; step++) {
      const torque = most.act(upright, { targetVelocity: robot.limits.targetVelocity });
      expect(much.act(upright, { targetVelocity: 99 })).toBe(torque);
    }
  });
});
