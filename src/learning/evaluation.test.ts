import { afterAll, describe, expect, it } from 'vitest';
import { loadRobot } from '../robot/robot.ts';
import { tasks } from '../robot/tasks/tasks.ts';
import { HalfCheetah } from '../simulation/environments/half-cheetah.ts';
import { WheelLegged, type WheelLeggedOptions } from '../simulation/environments/wheel-legged.ts';
import { linearController } from './algorithms/linear.ts';
import { evaluate } from './evaluation.ts';

const robot = loadRobot('wheel-legged');
const made: { delete(): void }[] = [];
afterAll(() => {
  for (const one of made) one.delete();
});
async function create(options: Partial<WheelLeggedOptions> = {}): Promise<WheelLegged> {
  const task = tasks['standing-still'];
  const environment = await WheelLegged.create({ robot, task, dynamics: 'simulator', ...options });
  made.push(environment);
  return environment;
}
const balancing = linearController([0.7, 0.8, 5, 0.6, 0]);
const nothing = linearController([0, 0, 0, 0, 0.001]);

describe('an evaluation', () => {
  it('measures what balances by the truth, over the seconds that are asked for', async () => {
    const environment = await create({ dynamics: 'twin', gaps: ['twin-d'] });
    const result = evaluate(environment, balancing, { seeds: 2, seconds: 6 });
    expect(result.episodes).toBe(2);
    expect(result.survivalSeconds?.min).toBeCloseTo(6, 9);
    // of 1000 control periods only, six seconds have 1200
    expect(result.meanReturn).toBeLessThan(30_000);
    expect(result.meanReturn).toBeGreaterThan(25_000);
    // pitch is true: the mount is off by 0.08 rad, which the truth does not show
    expect(result.rmsPitch).toBeLessThan(0.08);
    expect(result.maxAbsX).toBeGreaterThan(0.02);
    expect(result.runs.map(({ seed }) => seed)).toEqual([1, 2]);
    expect(evaluate(environment, balancing, { seeds: [1, 2], seconds: 6 })).toEqual(result);
  });

  it('counts until the fall', async () => {
    const { survivalSeconds, meanReturn } = evaluate(await create(), nothing, { seeds: 2 });
    expect(survivalSeconds?.mean).toBeLessThan(5);
    expect(survivalSeconds?.min).toBeGreaterThan(0.1);
    expect(meanReturn).toBeLessThan(30 * 200 * (survivalSeconds?.mean ?? 0));
  });

  it('compares rates: the return is of control periods, not of decisions', async () => {
    const returns = await Promise.all(
      [1, 4].map(async (hold) => evaluate(await create({ hold }), balancing, { seeds: 1, seconds: 5 }).meanReturn),
    );
    expect(Math.abs((returns[0] ?? 0) - (returns[1] ?? 0))).toBeLessThan(100);
  });

  it('takes for distance in moving that to a place which moves at the speed of the task', async () => {
    const environment = await create({ task: tasks['moving-straight'] });
    const still = evaluate(environment, balancing, { seeds: 1, seconds: 6 });
    expect(still.maxAbsX).toBeCloseTo(1.2, 1);
    expect(still.rmsSpeedError).toBeCloseTo(0.2, 1);
  });

  it('tells of HalfCheetah the return of its whole episode alone', async () => {
    const environment = await HalfCheetah.create();
    made.push(environment);
    const { runs, ...result } = evaluate(environment, { act: (_, action) => action.fill(0) }, { seeds: 2, seconds: 1 });
    expect(Object.keys(result).sort()).toEqual(['episodes', 'meanReturn']);
    expect(environment.tally.frames).toBe(1000);
    expect(runs.every((run) => Math.abs(run.return) < 100)).toBe(true);
  });
});
