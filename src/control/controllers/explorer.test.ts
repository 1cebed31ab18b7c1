import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Exploration } from '../../messages/exploration.ts';
import { tasks } from '../../robot/tasks/tasks.ts';
import { explorations } from './exploration.testing.ts';
import { Explorer } from './explorer.ts';

const standing = tasks['standing-still'];
const clean: Exploration = {
  seed: 7,
  episode: 0,
  wander: 0.3,
  wanderTime: 0.2,
  white: 0.2,
  mostTorque: 1,
  setPoint: 0.3,
  setPointTime: 5,
};
const anyTask = fc.constantFrom(...Object.values(tasks));
const anyRate = fc.constantFrom(50, 100, 200, 400);

/** Noise and set point of the next decisions. */
function course(explorer: Explorer, decisions: number) {
  return Array.from({ length: decisions }, () => {
    explorer.decide();
    return { noise: explorer.noise, ...explorer.setPoint };
  });
}

const deviation = (values: readonly number[]) => {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
};

describe('noise and set point', () => {
  it('stay within what was signed, whatever was signed', () => {
    fc.assert(
      fc.property(explorations, anyTask, anyRate, (exploration, task, rate) => {
        const travels = task.originResetsEachEpisode;
        const samples = course(new Explorer(exploration, task, rate), 500);
        const most = (of: (sample: (typeof samples)[number]) => number) =>
          Math.max(...samples.map((one) => Math.abs(of(one))));
        expect(most(({ noise }) => noise)).toBeLessThanOrEqual(exploration.mostTorque);
        expect(most(({ x, v }) => (travels ? v : x))).toBeLessThanOrEqual(exploration.setPoint + 1e-12);
        if (!travels) expect(most(({ v }) => v)).toBeLessThanOrEqual(0.1 + 1e-12);
      }),
      { numRuns: 60 },
    );
  });

  it('move gently: the set point never jumps', () => {
    fc.assert(
      fc.property(explorations, anyTask, (exploration, task) => {
        let before = { x: 0, v: 0 };
        for (const { x, v } of course(new Explorer(exploration, task, 200), 500)) {
          const steps = [Math.abs(v - before.v) - 0.2 / 200, Math.abs(x - before.x) - Math.abs(v) / 200];
          if (Math.max(...steps) > 1e-12) expect(steps).toEqual('no step of the set point');
          before = { x, v };
        }
      }),
      { numRuns: 60 },
    );
  });

  it('follow from the seed and the number of the start alone', () => {
    fc.assert(
      fc.property(explorations, anyTask, anyRate, (exploration, task, rate) => {
        const once = course(new Explorer(exploration, task, rate), 100);
        expect(course(new Explorer({ ...exploration }, task, rate), 100)).toEqual(once);
      }),
      { numRuns: 60 },
    );
    const noises = (over: Partial<Exploration>) =>
      course(new Explorer({ ...clean, ...over }, standing, 200), 200).map(({ noise }) => noise);
    expect(noises({ seed: 8 })).not.toEqual(noises({}));
    expect(noises({ episode: 1 })).not.toEqual(noises({}));
    // One start is not the other one a little later.
    const later = new Set(noises({ episode: 1 }));
    expect(noises({}).filter((noise) => later.has(noise))).toEqual([]);
  });

  it('go on where they were after they have been remembered', () => {
    fc.assert(
      fc.property(explorations, anyTask, fc.nat(50), (exploration, task, before) => {
        const one = new Explorer(exploration, task, 200);
        course(one, before);
        const other = new Explorer(exploration, task, 200);
        other.recall(JSON.parse(JSON.stringify(one.remember())));
        expect(course(other, 50)).toEqual(course(one, 50));
      }),
      { numRuns: 40 },
    );
  });

  it('are as strong as they were asked to be', () => {
    const of = (over: Partial<Exploration>) =>
      deviation(
        course(new Explorer({ ...clean, mostTorque: 20, ...over }, standing, 200), 40_000).map(({ noise }) => noise),
      );
    expect(of({ white: 0 })).toBeCloseTo(0.3, 1);
    expect(of({ wander: 0 })).toBeCloseTo(0.2, 2);
    expect(of({ wander: 0, white: 0 })).toBe(0);
    expect(deviation(course(new Explorer(clean, standing, 200), 40_000).map(({ x }) => x))).toBeGreaterThan(0.05);
  });

  it('rest while the failsafe table holds the robot, and the place is kept', () => {
    const explorer = new Explorer(clean, standing, 200);
    course(explorer, 1000);
    const { x } = explorer.setPoint;
    explorer.rest();
    expect(explorer.noise).toBe(0);
    expect(explorer.setPoint).toEqual({ x, v: 0 });
    expect(x).not.toBe(0);
  });
});
