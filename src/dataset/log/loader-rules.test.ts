import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { loadRobot } from '../../robot/robot.ts';
import type { TaskName } from '../../robot/tasks/task.ts';
import type { Transition } from '../batch-writer.ts';
import { readDataset } from '../open-dataset.ts';
import { transitionsOfLog } from './log-source.ts';
import { type LogRow, readLog } from './read-log.ts';

/** Neither carries a licence, so neither is part of this project: both lie beside it, where they are at all. */
const beside = (path: string) => fileURLToPath(new URL(`../../../../shared/${path}`, import.meta.url));
const VECTORS = join(process.env.H2O_VECTORS_DIR ?? beside('vectors'), 'rewards.json.gz');
const LOG =
  process.env.H2O_ROBOT_LOG ?? join(process.env.H2O_DATA_DIR ?? beside('data'), 'wheel-legged-standing-5.11.s.txt');

const robot = loadRobot('wheel-legged');

const arrayOf = z.object({ shape: z.array(z.number()), data: z.array(z.number()) });
const answer = z.object({
  transitions: z.number(),
  rewardSum: z.number(),
  rewardMin: z.number(),
  rewardMax: z.number(),
  doneCount: z.number(),
  rowsOfLoader: z.union([z.literal('all'), z.array(z.number())]),
  s: arrayOf,
  a: arrayOf,
  r: arrayOf,
  sNext: arrayOf,
  done: arrayOf,
});
const answers = z.object({ WheelLegged: answer, 'WheelLegged-straight': answer });
const vectors = z.object({
  subLog: z.object({ rows: arrayOf, expected: answers }),
  fullLog: z.object({ rows: z.number(), expected: answers }),
});

const read = () => vectors.parse(JSON.parse(gunzipSync(readFileSync(VECTORS)).toString()));

const AUTHORS_NAME = { 'standing-still': 'WheelLegged', 'moving-straight': 'WheelLegged-straight' } as const;

/** Every number of every transition is the same double. */
function expectSame(all: readonly Transition[], expected: z.output<typeof answer>) {
  expect(all.length).toBe(expected.transitions);
  const chosen = expected.rowsOfLoader === 'all' ? all : expected.rowsOfLoader.map((row) => all[row]);
  const flat = (values: (one: Transition) => ArrayLike<number>) =>
    chosen.flatMap((one) => (one === undefined ? [] : Array.from(values(one))));
  expect(flat(({ observation }) => observation)).toEqual(expected.s.data);
  expect(flat(({ action }) => action)).toEqual(expected.a.data);
  expect(flat(({ reward }) => [reward])).toEqual(expected.r.data);
  expect(flat(({ nextObservation }) => nextObservation)).toEqual(expected.sNext.data);
  expect(flat(({ terminal }) => [Number(terminal)])).toEqual(expected.done.data);
  const rewards = all.map(({ reward }) => reward);
  expect(Math.min(...rewards)).toBe(expected.rewardMin);
  expect(Math.max(...rewards)).toBe(expected.rewardMax);
  // The sum depends on the order of adding, the terms do not.
  expect(rewards.reduce((sum, reward) => sum + reward, 0)).toBeCloseTo(expected.rewardSum, 6);
  expect(all.filter(({ terminal }) => terminal)).toHaveLength(expected.doneCount);
}

describe.each(Object.keys(AUTHORS_NAME) as TaskName[])("the authors' loader, %s", (task) => {
  it('on a part of the log', ({ skip }) => {
    if (!existsSync(VECTORS)) skip(`there are no vectors at ${VECTORS}; name their folder with H2O_VECTORS_DIR`);
    const { rows, expected } = read().subLog;
    const log: LogRow[] = Array.from({ length: rows.shape[0] ?? 0 }, (_, row) => {
      const [x = 0, speed = 0, pitch = 0, pitchRate = 0, torque = 0, done = 0] = rows.data.slice(6 * row, 6 * row + 6);
      return { x, speed, pitch, pitchRate, torque, done: done === 1 };
    });
    expectSame([...transitionsOfLog(log, task, robot)], expected[AUTHORS_NAME[task]]);
  });

  it('on the whole log, and in single precision through the door that everybody uses', async ({ skip }) => {
    if (!existsSync(VECTORS)) skip(`there are no vectors at ${VECTORS}; name their folder with H2O_VECTORS_DIR`);
    if (!existsSync(LOG))
      skip(`there is no log at ${LOG}; name one with H2O_ROBOT_LOG or its folder with H2O_DATA_DIR`);
    const { rows, expected } = read().fullLog;
    const log = readLog(LOG);
    expect(log.length).toBe(rows);
    const transitions = [...transitionsOfLog(log, task, robot)];
    expectSame(transitions, expected[AUTHORS_NAME[task]]);

    const all = await readDataset(LOG, { task });
    expect(all.count).toBe(transitions.length);
    expect(all.rewards).toEqual(Float32Array.from(transitions, ({ reward }) => reward));
    expect(all.actions).toEqual(Float32Array.from(transitions, ({ action }) => action[0] ?? 0));
    const clean = await readDataset(LOG, { task, onlyClean: true });
    expect(all.count - clean.count).toBe(transitions.filter(({ marks }) => marks !== 0).length);
  });
});

describe('the rules, on rows that were made up', () => {
  const row = (torque: number, done = false, x = torque): LogRow => ({
    x,
    speed: 0.5,
    pitch: 0,
    pitchRate: 0,
    torque,
    done,
  });
  const of = (...rows: LogRow[]) => [...transitionsOfLog(rows, 'moving-straight', robot)];

  it('drop a torque above the range, not one below, and then pair what is left', () => {
    const all = of(row(1), row(3.5), row(3), row(-4), row(2));
    expect(all.map(({ observation }) => observation[0])).toEqual([1, 3, -4]);
    expect(all.map(({ nextObservation }) => nextObservation[0])).toEqual([3, -4, 2]);
    expect(all.map(({ action }) => action[0])).toEqual([1 / 3, 1, -1]);
    expect(all[2]?.reward).toBe(15 - ((0.5 - 0.2) ** 2 + 16));
    expect(all.map(({ marks }) => marks)).toEqual([2048, 0, 512]);
  });

  it('take done from the next row, and begin nothing on a row that is done', () => {
    const all = of(row(0), row(1, true), row(2, true), row(0.5), row(0.25));
    expect(all.map(({ terminal }) => terminal)).toEqual([true, false]);
    expect(all.map(({ observation }) => observation[0])).toEqual([0, 0.5]);
  });
});
