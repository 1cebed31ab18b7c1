import { describe, expect, it } from 'vitest';
import { EdgeError } from '../../errors.ts';
import { loadRobot } from '../robot.ts';
import type { TaskState } from './task.ts';
import { taskByName, taskNames, tasks } from './tasks.ts';

const state: TaskState = { x: 9, v: 0.5, pitch: 9, pitchRate: 9 };
const next: TaskState = { x: 0.1, v: 0.2, pitch: 0.3, pitchRate: 0.4 };

describe('the tasks of the paper', () => {
  it('pays for standing still by the next state and the applied torque', () => {
    expect(tasks['standing-still'].reward(state, 2, next)).toBeCloseTo(30 - 4 - (0.01 + 0.04 + 0.09 + 0.16), 12);
  });

  it('pays for moving straight by the current speed and the applied torque', () => {
    expect(tasks['moving-straight'].reward(state, 2, next)).toBeCloseTo(15 - (0.09 + 4), 12);
  });

  it('does not clip the torque to the range of the action', () => {
    expect(tasks['moving-straight'].reward({ ...state, v: 0.2 }, 10, next)).toBe(-85);
  });

  it.each(taskNames)('%s ends when the next state leans beyond the limit of the robot, either way', (name) => {
    const robot = loadRobot('wheel-legged');
    const { tilt } = robot.limits;
    const task = tasks[name];
    expect(task.isDone({ ...next, pitch: tilt }, robot)).toBe(false);
    expect(task.isDone({ ...next, pitch: tilt + 1e-9 }, robot)).toBe(true);
    expect(task.isDone({ ...next, pitch: -tilt - 1e-9 }, robot)).toBe(true);
    expect(task.name).toBe(name);
    expect(task.episodeSteps).toBe(1000);
  });

  it('sets the origin anew only where the robot travels', () => {
    expect(tasks['standing-still'].originResetsEachEpisode).toBe(false);
    expect(tasks['moving-straight'].originResetsEachEpisode).toBe(true);
  });

  it('names the tasks that exist when asked for another', () => {
    expect(taskByName('moving-straight').targetVelocity).toBe(0.2);
    try {
      taskByName('toString');
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(EdgeError);
      expect(error).toMatchObject({ codeName: 'usage', remedy: 'use one of: standing-still, moving-straight' });
    }
  });
});
