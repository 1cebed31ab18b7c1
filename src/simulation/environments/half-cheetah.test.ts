import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { Random } from '../../random.ts';
import { HalfCheetah, type HalfCheetahOptions } from './half-cheetah.ts';

const directory = mkdtempSync(join(tmpdir(), 'half-cheetah-'));
afterAll(() => rmSync(directory, { recursive: true }));
const made: HalfCheetah[] = [];
afterEach(() => {
  for (const one of made.splice(0)) one.delete();
});

async function create(options: HalfCheetahOptions = {}): Promise<HalfCheetah> {
  const environment = await HalfCheetah.create(options);
  made.push(environment);
  return environment;
}

/** Rewards under random actions. */
function episode(environment: HalfCheetah, seed: number, steps = 1000): number[] {
  const random = new Random(seed);
  environment.reset(seed);
  const action = new Float32Array(6);
  return Array.from({ length: steps }, () => {
    for (let i = 0; i < 6; i++) action[i] = 2 * random.uniform() - 1;
    return environment.step(action).reward;
  });
}
const sum = (values: Iterable<number>) => [...values].reduce((total, value) => total + value, 0);

describe('HalfCheetah', () => {
  it('weighs 14 kg in seven bodies, with nine degrees of freedom and the published start', async () => {
    const environment = await create();
    const { bodyMass, timestep, dofArmature } = environment.model.constants();
    expect(sum(bodyMass)).toBeCloseTo(14, 9);
    expect(bodyMass.length).toBe(8);
    expect(timestep).toBe(0.01);
    expect([...dofArmature]).toEqual([0, 0, 0, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]);
    expect([...environment.reset(1, { start: 'rest' })]).toEqual(Array(17).fill(0));
    expect(environment.observationNames.length).toBe(17);
    const starts = Array.from({ length: 300 }, (_, seed) => [...environment.reset(seed)]);
    const positions = starts.flatMap((start) => start.slice(0, 8));
    const velocities = starts.flatMap((start) => start.slice(8));
    expect(Math.max(...positions.map(Math.abs))).toBeLessThanOrEqual(0.1000001);
    expect(Math.sqrt(sum(velocities.map((v) => v * v)) / velocities.length)).toBeCloseTo(0.1, 2);
  });

  it('pays forward speed less a tenth of the squared action', async () => {
    const environment = await create();
    environment.reset(1);
    const from = environment.model.views().position[0] ?? 0;
    const { reward, terminated } = environment.step(Float32Array.of(0.5, -0.5, 1, 0, 0, 2));
    const speed = ((environment.model.views().position[0] ?? 0) - from) / 0.05;
    expect(reward).toBeCloseTo(speed - 0.1 * 5.5, 9);
    expect(terminated).toBe(false);
    expect([...environment.applied]).toEqual([0.5, -0.5, 1, 0, 0, 1]);
  });

  it('earns under random actions what is published for them: about -280', async () => {
    const environment = await create();
    const returns = [1, 2, 3, 4, 5].map((seed) => sum(episode(environment, seed)));
    expect(environment.step(new Float32Array(6)).truncated).toBe(true);
    expect(sum(returns) / 5).toBeGreaterThan(-400);
    expect(sum(returns) / 5).toBeLessThan(-180);
  });

  it('repeats itself bit by bit, also among others', async () => {
    const [a, b] = [await create(), await create({ gaps: ['joint-noise'] })];
    const alone = episode(a, 3, 200);
    const digest = a.digest();
    const noisy = episode(b, 3, 200);
    expect(noisy).not.toEqual(alone);
    expect(episode(a, 3, 200)).toEqual(alone);
    expect(a.digest()).toBe(digest);
    expect(episode(b, 3, 200)).toEqual(noisy);
  });

  it('has the gaps of the paper, together too', async () => {
    const plain = await create();
    const shifted = await create({ gaps: ['gravity-2x', 'friction-0.3x', 'joint-noise'] });
    for (const one of [plain, shifted]) one.reset(1, { start: 'rest' });
    const [a, b] = [plain.model.constants(), shifted.model.constants()];
    expect(b.gravity[2]).toBe(-19.62);
    expect(b.geomFriction[0]).toBeCloseTo(0.12, 12);
    expect([...b.geomFriction]).toEqual([...a.geomFriction.map((value) => value * 0.3)]);
    // the noise acts, and is charged only where that is asked for
    const still = new Float32Array(6);
    const noisy = await create({ gaps: ['joint-noise'] });
    const charged = await create({ gaps: ['joint-noise'], chargeNoise: true });
    let costs = 0;
    noisy.reset(2);
    charged.reset(2);
    for (let i = 0; i < 200; i++) costs += noisy.step(still).reward - charged.step(still).reward;
    expect(noisy.digest()).toBe(charged.digest());
    expect([...noisy.applied]).toEqual([0, 0, 0, 0, 0, 0]);
    expect(costs / 200).toBeGreaterThan(0.5);
    expect(costs / 200).toBeLessThan(0.7);
  });

  it('is randomised by ranges, and refuses gaps of wheels and sensors by name', async () => {
    const path = join(directory, 'ranges.yaml');
    writeFileSync(
      path,
      'description: a test\nsource: assumed\nmassScale: { min: 0.5, max: 2 }\nmotorConstantScale: 1.5\n',
    );
    const environment = await create({ gaps: [path] });
    const mass = (seed: number) => {
      environment.reset(seed);
      return sum(environment.model.constants().bodyMass);
    };
    const first = mass(1);
    expect(mass(2)).not.toBe(first);
    expect(mass(1)).toBe(first);
    const stronger = environment.step(new Float32Array(6).fill(1));
    expect(environment.model.views().control[0]).toBe(1.5);
    expect(stronger.reward).toBeLessThan(10);
    await expect(create({ gaps: ['twin-d'] })).rejects.toMatchObject({
      codeName: 'gapInvalid',
      message: expect.stringMatching(/twin-d\.yaml: \w+ does not apply to half-cheetah/),
    });
  });
});
