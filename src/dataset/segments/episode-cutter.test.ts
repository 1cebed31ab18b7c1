import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ROW_JOINTS, type Row } from '../../messages/row.ts';
import { LIMITS, type Limit, limitBit, ROBOT_STATES } from '../../messages/states.ts';
import { type ConditionId, conditionBit } from '../../safety/failsafe-table.ts';
import { markNames } from '../marks.ts';
import { allocate, copyInto, type Transitions } from '../transitions.ts';
import { type CutterOptions, EpisodeCutter, ROW_SHAPE } from './episode-cutter.ts';
import { rowAt } from './segments.testing.ts';

const OPTIONS: CutterOptions = { task: 'standing-still', torqueScale: 3, hold: 1, onlyClean: false };

function cut(rows: readonly Row[], options: Partial<CutterOptions> = {}) {
  const cutter = new EpisodeCutter({ ...OPTIONS, ...options });
  const batches = [...rows.map((row) => cutter.take(row)), cutter.end()].filter((batch) => batch !== undefined);
  const all = allocate(
    batches.reduce((sum, { count }) => sum + count, 0),
    ROW_SHAPE,
  );
  let at = 0;
  for (const batch of batches) {
    copyInto(all, at, batch);
    at += batch.count;
  }
  return { all, counts: cutter.counts };
}

const rows = (first: number, last: number, changes: (sequence: number) => Partial<Row> = () => ({})) =>
  Array.from({ length: last - first + 1 }, (_, index) => rowAt(first + index, changes(first + index)));

const timeouts = ({ timeouts }: Transitions) => [...timeouts].flatMap((value, row) => (value === 1 ? [row] : []));
const marks = ({ marks }: Transitions) => [...(marks ?? [])].map(markNames);

/** Within an episode the next observation is, bit by bit, the observation of the next row. */
function expectWhole({ count, observations, nextObservations, terminals, timeouts: out }: Transitions) {
  for (let row = 0; row + 1 < count; row++) {
    if (terminals[row] === 1 || out[row] === 1) continue;
    expect(nextObservations.subarray(4 * row, 4 * row + 4)).toEqual(observations.subarray(4 * row + 4, 4 * row + 8));
  }
  if (count > 0) expect([terminals[count - 1], out[count - 1]]).toContain(1);
}

describe('rows become transitions', () => {
  it('with the state, the applied torque in units of the action, the reward as it was', () => {
    const { all, counts } = cut(rows(0, 2));
    expect(all.observations.subarray(4, 8)).toEqual(Float32Array.from(rowAt(1).state));
    expect(all.nextObservations.subarray(4, 8)).toEqual(Float32Array.from(rowAt(1).nextState));
    expect(all.actions).toEqual(Float32Array.from([0, 1 / 48, 2 / 48]));
    expect(all.rewards).toEqual(Float32Array.from([30, 30 - 1 / 32, 30 - 2 / 32]));
    expect(timeouts(all)).toEqual([2]);
    expect(counts).toMatchObject({ read: 3, transitions: 3, episodes: 1, falls: 0 });
  });

  it('and the action is clipped to its range and marked, the reward left alone', () => {
    const { all } = cut([rowAt(0, { appliedTorque: -9, reward: -51 })]);
    expect(all.actions).toEqual(Float32Array.of(-1));
    expect(all.rewards).toEqual(Float32Array.of(-51));
    expect(marks(all)).toEqual([['beyond-action']]);
  });
});

describe('an episode ends', () => {
  const breaks: Array<[string, (sequence: number) => Partial<Row>]> = [
    ['where another policy takes over', (n) => (n < 5 ? { policyHash: 1n } : { policyHash: 2n })],
    ['where another controller takes over', (n) => (n < 5 ? {} : { controller: 'policy' })],
    ['where the episode of the task changes', (n) => (n < 5 ? {} : { episode: 2 })],
    ['at a time-out', (n) => ({ timeout: n === 4 })],
    ['where control was started anew', (n) => (n < 5 ? {} : { boot: 2n })],
  ];
  it.each(breaks)('%s', (_name, changes) => {
    const { all, counts } = cut(rows(0, 9, changes));
    expect(all.count).toBe(10);
    expect(timeouts(all)).toEqual([4, 9]);
    expect(counts.episodes).toBe(2);
  });

  it('where rows are missing', () => {
    const { all } = cut([...rows(0, 4), ...rows(6, 9)]);
    expect(timeouts(all)).toEqual([4, 8]);
    expectWhole(all);
  });

  it('at a fall, which is no time-out', () => {
    const { all, counts } = cut(rows(0, 9, (n) => ({ done: n === 4, timeout: n === 4 })));
    expect([...all.terminals]).toEqual([0, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
    expect(timeouts(all)).toEqual([9]);
    expect(counts.falls).toBe(1);
  });

  it.each(ROBOT_STATES.filter((state) => state !== 'running'))(
    'where the robot is %s, and such rows are left out',
    (robotState) => {
      const { all, counts } = cut(rows(0, 9, (n) => (n === 5 ? { robotState } : {})));
      expect(all.count).toBe(9);
      expect(timeouts(all)).toEqual([4, 8]);
      expect(counts.notRunning).toBe(1);
    },
  );

  it('where another task was set', () => {
    const { all, counts } = cut(rows(0, 9, (n) => (n > 4 && n < 7 ? { task: 'moving-straight' } : {})));
    expect(timeouts(all)).toEqual([4, 7]);
    expect(counts.otherTask).toBe(2);
  });

  it.each([
    ['state', { state: [0, Number.NaN, 0, 0] }],
    ['next state', { nextState: [0, 0, Number.POSITIVE_INFINITY, 0] }],
    ['torque', { appliedTorque: Number.NaN }],
    ['reward', { reward: Number.NEGATIVE_INFINITY }],
  ] as const)('where a %s is no number, and the row is left out', (_name, changes) => {
    const { all, counts } = cut(rows(0, 9, (n) => (n === 5 ? changes : {})));
    expect(timeouts(all)).toEqual([4, 8]);
    expect(counts.nonFinite).toBe(1);
  });
});

describe('a fall of which the failsafe table let go', () => {
  const letGo = (changes: Partial<Row> = {}): Partial<Row> => ({
    robotState: 'limp',
    controller: 'none',
    appliedTorque: 0,
    commandedTorque: 0,
    conditions: conditionBit('fall-predicted'),
    ...changes,
  });
  const falls = (n: number): Partial<Row> =>
    n < 5 ? {} : letGo({ done: n >= 8, ...(n > 9 && { robotState: 'disarmed' }) });

  it('belongs to the episode up to the lean at which the task ends', () => {
    const { all, counts } = cut(rows(0, 12, falls));
    expect(all.count).toBe(9);
    expect([...all.terminals].indexOf(1)).toBe(8);
    expect(timeouts(all)).toEqual([]);
    expect(counts).toMatchObject({ transitions: 9, episodes: 1, falls: 1, falling: 4, notRunning: 4 });
    expectWhole(all);
  });

  it('is there among the clean rows too: no torque, which is its action, led there', () => {
    const { all, counts } = cut(rows(0, 12, falls), { onlyClean: true });
    expect(counts).toMatchObject({ transitions: 9, falls: 1, unclean: 0 });
    expect([...all.actions.subarray(5)]).toEqual([0, 0, 0, 0]);
  });

  it('also when it was disarmed on its way down', () => {
    const disarmed = (n: number) => (n === 6 ? { ...falls(n), robotState: 'disarmed' as const } : falls(n));
    expect(cut(rows(0, 12, disarmed)).counts).toMatchObject({ falls: 1, falling: 4 });
  });

  it('ends a transition of several frames early', () => {
    const policy = { controller: 'policy', policyHash: 7n } as const;
    const held = (n: number) =>
      n < 8 ? { ...policy, observation: [n >> 2], requestedTorque: 0 } : letGo({ done: n === 13 });
    const { all, counts } = cut(rows(0, 13, held), { hold: 4 });
    expect([...all.terminals]).toEqual([0, 0, 0, 1]);
    expect(counts).toMatchObject({ episodes: 1, incomplete: 0 });
    expectWhole(all);
  });

  const others: Array<[string, number, (n: number) => Partial<Row>]> = [
    ['somebody caught it', 9, () => ({})],
    ['somebody held it halfway', 299, (n) => ({ done: n === 299 })],
    ['a row is missing', 9, (n) => ({ done: n === 9, ...(n > 7 && { sequence: BigInt(n + 1) }) })],
    ['something else let go of it', 9, (n) => ({ done: n === 9, conditions: conditionBit('wheel-overspeed') })],
    ['it was e-stopped', 9, (n) => ({ done: n === 9, robotState: 'estopped' })],
    ['it was disarmed', 9, (n) => ({ done: n === 9, robotState: 'disarmed' })],
    ['its state is no number', 9, (n) => ({ done: n === 9, ...(n === 7 && { reward: Number.NaN }) })],
  ];
  it.each(others)('is none where %s: the episode was cut', (_name, last, changes) => {
    const { all, counts } = cut(rows(0, last, (n) => (n < 5 ? {} : letGo(changes(n)))));
    expect(counts).toMatchObject({ falls: 0, falling: 0, transitions: 5 });
    expect(timeouts(all)).toEqual([4]);
  });
});

describe('a row that was recorded a second time', () => {
  it('is there once', () => {
    const { all, counts } = cut([...rows(0, 5), ...rows(3, 9)]);
    expect(all.count).toBe(10);
    expect(timeouts(all)).toEqual([9]);
    expect(counts.repeated).toBe(3);
  });
});

describe('a row that is not clean', () => {
  /** Noise that was asked for is part of the behaviour, and its row as good a sample as any. */
  const CLEAN: readonly Limit[] = ['exploration'];

  it.each(CLEAN)('has none for the limit "%s"', (limit) => {
    expect(marks(cut([rowAt(0, { limits: limitBit(limit) })]).all)).toEqual([[]]);
  });

  const acting = LIMITS.filter((limit) => limit !== 'not-running' && !CLEAN.includes(limit));
  it.each(acting)('has the mark "%s" of the limit that acted', (limit) => {
    expect(marks(cut([rowAt(0, { limits: limitBit(limit) })]).all)).toEqual([[limit]]);
  });

  it('has one where a policy moved the legs', () => {
    const joints = Array<number>(ROW_JOINTS).fill(0);
    expect(marks(cut([rowAt(0, { joints })]).all)).toEqual([['legs-moved']]);
  });

  it('has a mark when an answer was late or a condition acted, none for a warning', () => {
    const marked = (...ids: ConditionId[]) => {
      const conditions = ids.reduce((mask, id) => mask | conditionBit(id), 0n);
      return marks(cut([rowAt(0, { conditions })]).all)[0];
    };
    expect(marked('overrun')).toEqual(['overrun']);
    expect(marked('commands-late')).toEqual(['overrun']);
    expect(marked('imu-stuck', 'battery-low')).toEqual(['condition']);
    expect(marked('battery-low', 'broker-lost')).toEqual([]);
  });

  it('is dropped when only clean ones are wanted, and the episode ends before it', () => {
    const dirty = rows(0, 9, (n) => (n === 3 || n === 4 ? { limits: limitBit('slew') } : {}));
    const { all, counts } = cut(dirty, { onlyClean: true });
    expect(all.count).toBe(8);
    expect(timeouts(all)).toEqual([2, 7]);
    expect([...(all.marks ?? [])]).toEqual(new Array(8).fill(0));
    expect(counts).toMatchObject({ unclean: 2, episodes: 2 });
    expectWhole(all);
  });
});

describe('a transition of several frames', () => {
  const held = (n: number): Partial<Row> => ({
    controller: 'policy',
    policyHash: 7n,
    observation: [Math.floor(n / 4)],
    requestedTorque: Math.floor(n / 4) / 4,
    appliedTorque: Math.floor(n / 4) / 4,
  });

  it('has the first state, the last next state, the mean of the rewards, the action that was held', () => {
    const { all, counts } = cut(rows(0, 11, held), { hold: 4 });
    expect(all.count).toBe(3);
    expect(all.observations.subarray(4, 8)).toEqual(Float32Array.from(rowAt(4).state));
    expect(all.nextObservations.subarray(4, 8)).toEqual(Float32Array.from(rowAt(7).nextState));
    expect(all.rewards[1]).toBe(30 - (4 + 5 + 6 + 7) / 4 / 32);
    expect(all.actions).toEqual(Float32Array.from([0, 1 / 12, 2 / 12]));
    expect(marks(all)).toEqual([[], [], []]);
    expect(counts.incomplete).toBe(0);
    expectWhole(all);
  });

  it('begins where the policy decides, once that can be seen', () => {
    const { all, counts } = cut(rows(2, 33, held), { hold: 4, onlyClean: true });
    // Rows 2 to 9 show where decisions are; from row 8 on windows stand on them.
    expect(all.observations[0]).toBe(rowAt(8).state[0]);
    expect(all.count).toBe(6);
    expect(counts).toMatchObject({ unclean: 1, incomplete: 2 + 2 });
    expectWhole(all);
  });

  it('is marked when the controller did not hold its action', () => {
    const { all } = cut(rows(0, 7), { hold: 4 });
    expect(marks(all)).toEqual([['not-held'], ['not-held']]);
    expect(all.actions[1]).toBe(Math.fround((4 + 5 + 6 + 7) / 4 / 48));
  });

  it('ends early with a fall, and is left out where anything else cuts it', () => {
    const fallen = cut(
      rows(0, 5, (n) => ({ done: n === 5 })),
      { hold: 4 },
    );
    expect([...fallen.all.terminals]).toEqual([0, 1]);
    expect(fallen.all.nextObservations.subarray(4)).toEqual(Float32Array.from(rowAt(5).nextState));
    expect(fallen.all.rewards[1]).toBe(30 - 4.5 / 32);

    const timedOut = cut(
      rows(0, 9, (n) => ({ timeout: n === 5, episode: n > 5 ? 2 : 1 })),
      { hold: 4 },
    );
    expect(timedOut.all.count).toBe(2);
    expect(timeouts(timedOut.all)).toEqual([0, 1]);
    expect(timedOut.all.observations[4]).toBe(rowAt(6).state[0]);
    expect(timedOut.counts.incomplete).toBe(2);
  });
});

describe('whatever comes', () => {
  const change = fc.oneof(
    { weight: 30, arbitrary: fc.constant({}) },
    fc.record({ done: fc.constant(true) }),
    fc.record({ timeout: fc.constant(true) }),
    fc.record({ limits: fc.constant(limitBit('torque')) }),
    fc.record({ robotState: fc.constantFrom(...ROBOT_STATES) }),
    fc.record({ policyHash: fc.constantFrom(1n, 2n), controller: fc.constant('policy' as const) }),
    fc.record({ reward: fc.constant(Number.NaN) }),
    {
      weight: 10,
      arbitrary: fc.record({
        robotState: fc.constantFrom('limp' as const, 'disarmed' as const),
        conditions: fc.constant(conditionBit('fall-predicted')),
        done: fc.boolean(),
      }),
    },
  );
  const jump = fc.oneof({ weight: 15, arbitrary: fc.constant(1) }, fc.constant(3));
  const stream = fc.array(fc.tuple(jump, change), { maxLength: 80, size: 'max' });

  it('every row is accounted for, and no episode goes on over a discontinuity', () => {
    fc.assert(
      fc.property(stream, fc.integer({ min: 1, max: 4 }), fc.boolean(), (steps, hold, onlyClean) => {
        let sequence = 0;
        const given = steps.map(([jump, changes]) => {
          sequence += jump;
          return rowAt(sequence, changes);
        });
        const { all, counts } = cut(given, { hold, onlyClean });
        expectWhole(all);
        expect(counts.transitions).toBe(all.count);
        expect(counts.read).toBe(given.length);
        if (hold === 1) {
          expect(counts.transitions + counts.unclean + counts.notRunning + counts.nonFinite + counts.incomplete).toBe(
            given.length,
          );
        }
        const ends = [...all.terminals].filter((end, row) => end === 1 || all.timeouts[row] === 1).length;
        expect(counts.episodes).toBe(ends);
        if (onlyClean) expect([...(all.marks ?? [])].every((mask) => mask === 0)).toBe(true);
      }),
    );
  });
});
