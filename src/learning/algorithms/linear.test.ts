import { afterAll, describe, expect, it } from 'vitest';
import { buildLinearPolicy } from '../../policy/onnx-linear.ts';
import { goldenPairs } from '../../policy/runtime.ts';
import { loadRobot } from '../../robot/robot.ts';
import { tasks } from '../../robot/tasks/tasks.ts';
import { HalfCheetah } from '../../simulation/environments/half-cheetah.ts';
import { WheelLegged } from '../../simulation/environments/wheel-legged.ts';
import { evaluate } from '../evaluation.ts';
import { linearController, linearPolicy, tuneLinear } from './linear.ts';

const robot = loadRobot('wheel-legged');
const made: { delete(): void }[] = [];
afterAll(() => {
  for (const one of made) one.delete();
});
const create = async (dynamics: 'simulator' | 'twin', gaps: string[] = []) => {
  const environment = await WheelLegged.create({ robot, task: tasks['standing-still'], dynamics, gaps, hold: 4 });
  made.push(environment);
  return environment;
};

describe('the linear reference', () => {
  it('learns in the simulator to balance, and then balances the twin', async () => {
    const environment = await create('simulator');
    const progress: number[] = [];
    const law = tuneLinear({
      ...{ environment, seed: 1, population: 14, elite: 3, generations: 4, episodes: 1, decisions: 120 },
      onGeneration: ({ eliteReturn }) => progress.push(eliteReturn),
    });
    // 480 control periods of 30 at most
    expect(progress.at(-1)).toBeGreaterThan(14_000);
    expect(progress.at(-1)).toBeGreaterThan(progress[0] ?? 0);
    const result = evaluate(await create('twin'), linearController(law), { seeds: 1, seconds: 5 });
    expect(result.survivalSeconds?.min).toBeCloseTo(5, 9);
  });

  it('is the same for the same seed', async () => {
    const small = { population: 4, elite: 2, generations: 2, episodes: 1, decisions: 20 };
    const [one, two] = [await create('simulator', ['randomised']), await create('simulator', ['randomised'])];
    const law = tuneLinear({ ...small, environment: one, seed: 7 });
    expect(tuneLinear({ ...small, environment: two, seed: 7 })).toEqual(law);
    expect(tuneLinear({ ...small, environment: two, seed: 8 })).not.toEqual(law);
  });

  it('becomes a policy that decides the same', async () => {
    const law = [0.5, 1, 5, 0.5, 0.01] as const;
    const observations = [
      [0, 0, 0, 0],
      [0.1, -0.1, 0.02, 0.3],
      [1, 1, 1, 1],
    ];
    const pairs = await goldenPairs(buildLinearPolicy(linearPolicy(law)), 1, observations);
    const action = new Float32Array(1);
    for (const pair of pairs) {
      linearController(law).act(Float32Array.from(pair.observation), action);
      expect(pair.action[0]).toBeCloseTo(action[0] ?? 9, 6);
    }
  });

  it('says what it is not for', async () => {
    const environment = await HalfCheetah.create();
    made.push(environment);
    expect(() => tuneLinear({ environment, seed: 1 })).toThrow(/half-cheetah does not have the observation x, v/);
  });
});
