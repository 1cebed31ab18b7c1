import { afterAll, describe, expect, it } from 'vitest';
import { loadRobot } from '../robot/robot.ts';
import { tasks } from '../robot/tasks/tasks.ts';
import { WheelLegged, type WheelLeggedOptions } from '../simulation/environments/wheel-legged.ts';
import { behaviours, collect } from './collect.ts';

const robot = loadRobot('wheel-legged');
const made: WheelLegged[] = [];
afterAll(() => {
  for (const one of made) one.delete();
});
async function twinD(options: Partial<WheelLeggedOptions> = {}): Promise<WheelLegged> {
  const task = tasks['standing-still'];
  const environment = await WheelLegged.create({
    robot,
    task,
    dynamics: 'twin',
    gaps: ['twin-d'],
    hold: 4,
    ...options,
  });
  made.push(environment);
  return environment;
}

describe('data of a simulated robot', () => {
  it('are transitions of the datasets: each next state begins the next row, but after a fall or a time-out', async () => {
    const environment = await twinD({ task: tasks['moving-straight'], episodeSteps: 20 });
    const { falls, ...rows } = collect({ environment, count: 400, seed: 1, behaviour: behaviours.falling });
    const state = (values: Float32Array, row: number) => [...values.subarray(4 * row, 4 * row + 4)];
    let ends = 0;
    for (let row = 0; row + 1 < rows.count; row++) {
      const goesOn = rows.terminals[row] === 0 && rows.timeouts[row] === 0;
      if (!goesOn) ends += 1;
      const [next, after] = [state(rows.nextObservations, row), state(rows.observations, row + 1)];
      if (goesOn) expect(after).toEqual(next);
      else expect(after[0], `x counts anew after row ${row}`).toBeCloseTo(0, 9);
    }
    expect(rows.timeouts.at(-1)).toBe(1);
    expect(falls).toBeGreaterThan(0);
    expect(rows.terminals.reduce((sum, one) => sum + one, 0)).toBe(falls);
    expect(ends).toBeGreaterThan(falls);
    expect(Math.max(...rows.actions.map(Math.abs))).toBeLessThanOrEqual(1);
    for (let row = 0; row < rows.count; row++) {
      const fallen = Math.abs(rows.nextObservations[4 * row + 2] ?? 0) > robot.limits.tilt;
      if (fallen) expect(rows.terminals[row]).toBe(1);
    }
  });

  it('are near the working point where they are clean, and the same for the same seed', async () => {
    const environment = await twinD();
    const one = collect({ environment, count: 300, seed: 3 });
    const pitches = Array.from({ length: 300 }, (_, row) => one.observations[4 * row + 2] ?? 9);
    expect(one.falls).toBe(0);
    expect(Math.max(...pitches.map(Math.abs))).toBeLessThan(0.4);
    expect(Math.min(...one.rewards)).toBeGreaterThan(10);
    const again = collect({ environment: await twinD(), count: 300, seed: 3 });
    expect(again).toEqual(one);
    expect(collect({ environment, count: 300, seed: 4 }).actions).not.toEqual(one.actions);
  });
});
