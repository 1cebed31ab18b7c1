import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { TaskState } from '../../robot/tasks/task.ts';
import { tasks } from '../../robot/tasks/tasks.ts';
import { momentsOf, nextStateSigma } from '../statistics.ts';
import { arraySchema, filesWith, readVectors } from './vector-files.testing.ts';

// Quotes rows of the published log, which has no licence: it does not ship, and runs where the folder has it.

const expectedSchema = z.object({
  transitions: z.int(),
  bufferRows: z.int(),
  paddedStdPlusEps: arraySchema,
  trueMean: arraySchema,
  trueStd: arraySchema,
  s: arraySchema,
  a: arraySchema,
  r: arraySchema,
  sNext: arraySchema,
  done: arraySchema,
});
const schema = z.object({
  maxPushEffort: z.number(),
  subLog: z.object({ rows: arraySchema, expected: z.record(z.string(), expectedSchema) }),
});
const taskNames = { WheelLegged: 'standing-still', 'WheelLegged-straight': 'moving-straight' } as const;

const cases = filesWith('subLog').flatMap((file) => {
  const { maxPushEffort, subLog } = schema.parse(readVectors(file));
  return Object.entries(taskNames).flatMap(([name, task]) => {
    const expected = subLog.expected[name];
    return expected ? [{ name: `${file}, ${name}`, task, maxPushEffort, rows: subLog.rows, expected }] : [];
  });
});

const stateOf = ([x = 0, v = 0, pitch = 0, pitchRate = 0]: readonly number[]): TaskState => ({
  x,
  v,
  pitch,
  pitchRate,
});

describe.skipIf(cases.length === 0)("rewards agree with the authors' loader", () => {
  it.each(cases.map((one) => [one.name, one] as const))('%s', (_name, { task, maxPushEffort, rows, expected }) => {
    const [, width = 6] = rows.shape;
    const log = Array.from({ length: rows.exact.length / width }, (_, row) =>
      rows.exact.slice(row * width, (row + 1) * width),
    ).filter(([, , , , torque = 0]) => torque <= maxPushEffort);
    const pairs = log.slice(0, -1).flatMap((row, at) => (row[5] === 0 ? [[row, log[at + 1] ?? []] as const] : []));

    expect(pairs.length).toBe(expected.transitions);
    pairs.forEach(([row, next], at) => {
      const torque = row[4] ?? Number.NaN;
      expect(tasks[task].reward(stateOf(row), torque, stateOf(next))).toBeCloseTo(
        expected.r.exact[at] ?? Number.NaN,
        9,
      );
      expect(Math.min(1, Math.max(-1, torque / maxPushEffort))).toBeCloseTo(expected.a.exact[at] ?? Number.NaN, 12);
      expect(next[5]).toBe(expected.done.exact[at]);
    });

    const s = pairs.flatMap(([row]) => row.slice(0, 4));
    expect(s).toEqual(expected.s.exact);
    const moments = momentsOf(s, 4);
    const published = nextStateSigma('published', { s, sNext: s, width: 4, bufferRows: expected.bufferRows });
    for (const column of [0, 1, 2, 3]) {
      expect(moments.mean[column]).toBeCloseTo(expected.trueMean.exact[column] ?? Number.NaN, 9);
      expect(moments.std[column]).toBeCloseTo(expected.trueStd.exact[column] ?? Number.NaN, 9);
      expect(published[column]).toBeCloseTo(expected.paddedStdPlusEps.exact[column] ?? Number.NaN, 9);
    }
  });
});
