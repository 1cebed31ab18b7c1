import { from, lastValueFrom, toArray } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';
import type { Row } from '../messages/row.ts';
import { loadRobot } from '../robot/robot.ts';
import { taskByName } from '../robot/tasks/tasks.ts';
import { sensors } from './frames.testing.ts';
import type { Actuated } from './tick.ts';
import { actuated } from './ticks.testing.ts';
import { transition } from './transition.ts';

const robot = loadRobot('wheel-legged');
const context = { robot, boot: 99n, wallOffsetNs: () => 1_000_000_000_000n };

const rowsOf = (...ticks: Actuated[]): Promise<Row[]> =>
  lastValueFrom(from(ticks).pipe(transition(context), toArray()), { defaultValue: [] });

/** The one row between two ticks. */
async function rowBetween(before: Actuated, after: Actuated): Promise<Row> {
  const [row] = await rowsOf(before, after);
  if (!row) throw new Error('there is no row');
  return row;
}

const applied = (left: number, right: number, measured: [number, number] = [0, 0], hasWheelTorque = true) =>
  sensors({ wheelTorqueApplied: [left, right], wheelTorqueMeasured: measured, hasWheelTorque });

describe('a row', () => {
  it('pairs the state of one frame with the torque that the next frame reports', async () => {
    const row = await rowBetween(
      actuated({ torque: 0.4, sensors: applied(9, 9), estimate: { x: 1, v: 2, pitch: 0.1, pitchRate: 4 } }),
      actuated({
        torque: 0.9,
        sensors: applied(0.15, 0.2, [0.1, 0.3]),
        estimate: { x: 5, v: 6, pitch: 0.2, pitchRate: 8 },
      }),
    );
    expect(row.state).toEqual([1, 2, 0.1, 4]);
    expect(row.nextState).toEqual([5, 6, 0.2, 8]);
    expect(row.requestedTorque).toBe(0.4);
    expect(row.commandedTorque).toBeCloseTo(0.4, 9);
    expect(row.appliedTorque).toBeCloseTo(0.35, 9);
    expect(row.measuredTorque).toBeCloseTo(0.4, 9);
    expect(row.measured).toBe(true);
  });

  it('says when the motors did not measure', async () => {
    expect((await rowBetween(actuated(), actuated({ sensors: applied(0, 0, [0, 0], false) }))).measured).toBe(false);
  });

  it('is paid by what was applied, not by what was asked', async () => {
    const before = actuated({ torque: 1, task: 'moving-straight', estimate: { v: 0.3 } });
    const after = actuated({ sensors: applied(1, 1), task: 'moving-straight', estimate: { v: 0.2 } });
    const task = taskByName('moving-straight');
    expect((await rowBetween(before, after)).reward).toBe(task.reward(before.state, 2, after.state));
  });

  it('carries what identifies it and what acted on it, of the frame of its state', async () => {
    const before = actuated({
      arrivedNs: 123n,
      mcuTimeUs: 456,
      sequence: 70_000,
      episode: 3,
      step: 17,
      limits: 5,
      conditions: 6n,
      controller: 'policy',
      policyHash: 8n,
      observation: [1, 2],
      robotState: 'running',
      latencyUs: 250,
    });
    expect(await rowBetween(before, actuated({ dtUs: 4990, sequence: 70_001 }))).toMatchObject({
      monotonicNs: 123n,
      wallNs: 1_000_000_000_123n,
      mcuTimeUs: 456n,
      sequence: 70_000n,
      boot: 99n,
      dtUs: 4990,
      episode: 3,
      step: 17,
      limits: 5,
      conditions: 6n,
      controller: 'policy',
      policyHash: 8n,
      observation: [1, 2],
      robotState: 'running',
      latencyUs: 250,
    });
  });

  it('tells the next x in the frame of the old origin when the origin moved between the two', async () => {
    const before = actuated({ origin: 10, state: { x: 2, v: 0, pitch: 0, pitchRate: 0 }, estimate: { x: 12 } });
    const after = actuated({
      origin: 12.01,
      state: { x: 0, v: 0, pitch: 0, pitchRate: 0 },
      estimate: { x: 12.01 },
      episode: 2,
    });
    expect((await rowBetween(before, after)).nextState[0]).toBeCloseTo(2.01, 9);
  });
});

describe('the end of an episode', () => {
  const fallen = { estimate: { pitch: robot.limits.tilt + 0.01 } };

  it('is done when the next state is a fall, and not before', async () => {
    expect(await rowBetween(actuated(), actuated(fallen))).toMatchObject({ done: true, timeout: false });
    expect(await rowBetween(actuated(), actuated())).toMatchObject({ done: false, timeout: false });
    expect(await rowBetween(actuated(fallen), actuated())).toMatchObject({ done: false });
  });

  it('is a time-out at the last step', async () => {
    expect(await rowBetween(actuated({ lastStep: true }), actuated())).toMatchObject({ done: false, timeout: true });
  });

  it('is a time-out where another episode begins', async () => {
    const row = await rowBetween(actuated({ episode: 4 }), actuated({ episode: 5 }));
    expect(row).toMatchObject({ episode: 4, done: false, timeout: true });
  });

  it('is never both', async () => {
    const row = await rowBetween(actuated({ lastStep: true }), actuated({ ...fallen, episode: 2 }));
    expect(row).toMatchObject({ done: true, timeout: false });
  });
});

describe('rows', () => {
  it('are one fewer than frames', async () => {
    expect(await rowsOf(...Array.from({ length: 10 }, () => actuated()))).toHaveLength(9);
    expect(await rowsOf(actuated())).toEqual([]);
  });

  it.each([
    ['missing frames', { lost: 1 }],
    ['a stream that began anew', { first: true }],
    ['a clock that did not move', { dtUs: 0 }],
  ])('do not reach over %s, and go on after it', async (_what, over) => {
    const rows = await rowsOf(
      actuated({ sequence: 1 }),
      actuated({ sequence: 2 }),
      actuated({ sequence: 5, ...over }),
      actuated({ sequence: 6 }),
    );
    expect(rows.map((row) => row.sequence)).toEqual([1n, 5n]);
  });

  it('are complete in the turn in which the frame after them has come', () => {
    new TestScheduler((actual, wanted) => expect(actual).toEqual(wanted)).run(({ cold, expectObservable }) => {
      const row = (sequence: bigint) => expect.objectContaining({ sequence });
      const ticks$ = cold('a-b--c|', {
        a: actuated({ sequence: 1 }),
        b: actuated({ sequence: 2 }),
        c: actuated({ sequence: 3 }),
      });
      expectObservable(ticks$.pipe(transition(context))).toBe('--x--y|', { x: row(1n), y: row(2n) });
    });
  });
});
