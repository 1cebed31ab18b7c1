import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sourceOf, type TestRow } from './sources.testing.ts';
import { surveyDataset } from './statistics.ts';

const statisticsOf = async (...parameters: Parameters<typeof sourceOf>) =>
  (await surveyDataset(sourceOf(...parameters))).statistics;

describe('statistics of a dataset', () => {
  it('count episodes, falls and what they earned, across batches', async () => {
    const rows: TestRow[] = [
      { reward: 1 },
      { reward: 2 },
      { reward: 3, terminal: true },
      { reward: 10 },
      { reward: 10, timeout: true },
    ];
    const { transitions, episodes, falls, cuts, ...rest } = await statisticsOf(rows, { batchRows: 2 });
    expect({ transitions, episodes, falls, cuts }).toEqual({ transitions: 5, episodes: 2, falls: 1, cuts: 1 });
    expect(rest.return).toEqual({ min: 6, max: 20, mean: 13, std: 7 });
    expect(rest.length).toEqual({ min: 2, max: 3, mean: 2.5, std: 0.5 });
    expect(rest.seconds).toBeUndefined();
  });

  it('count an episode that the data end in the middle of', async () => {
    expect(await statisticsOf([{ reward: 1, terminal: true }, { reward: 4 }])).toMatchObject({
      episodes: 2,
      falls: 1,
      cuts: 1,
      return: { max: 4 },
    });
  });

  it('say how long the data are where the rate is known', async () => {
    expect((await statisticsOf([{}, {}, {}], { provenance: { rate: 50 } })).seconds).toBeCloseTo(0.06);
  });

  it('give the share of rows under each mark, and of those on which a limit acted', async () => {
    const { clampedShare, marks } = await statisticsOf([
      { marks: ['slew', 'torque'] },
      { marks: ['overrun'] },
      {},
      { marks: ['slew'] },
    ]);
    expect(clampedShare).toBe(0.5);
    expect(marks).toEqual({ torque: 0.25, slew: 0.5, overrun: 0.25 });
  });

  it('name columns as the dataset does, and number those without a name', async () => {
    const provenance = { observationNames: ['x', 'v', 'pitch', 'pitch_rate'] };
    const { observations, actions } = await statisticsOf([{ observation: [1, 2, 3, 4], action: [0.5] }], {
      provenance,
    });
    expect(observations.map(({ name, mean }) => [name, mean])).toEqual([
      ['x', 1],
      ['v', 2],
      ['pitch', 3],
      ['pitch_rate', 4],
    ]);
    expect(actions.map(({ name }) => name)).toEqual(['action 0']);
  });

  it('agree with the moments computed in two passes, in any batches', async () => {
    const values = fc.array(fc.double({ min: -1e3, max: 1e3, noNaN: true }).map(Math.fround), { minLength: 1 });
    await fc.assert(
      fc.asyncProperty(values, fc.integer({ min: 1, max: 9 }), async (rewards, batchRows) => {
        const { reward } = await statisticsOf(
          rewards.map((one) => ({ reward: one })),
          { batchRows },
        );
        const mean = rewards.reduce((sum, one) => sum + one, 0) / rewards.length;
        const variance = rewards.reduce((sum, one) => sum + (one - mean) ** 2, 0) / rewards.length;
        expect(reward.mean).toBeCloseTo(mean, 6);
        expect(reward.std).toBeCloseTo(Math.sqrt(variance), 6);
        expect([reward.min, reward.max]).toEqual([Math.min(...rewards), Math.max(...rewards)]);
      }),
    );
  });

  it('of an empty dataset are zeros, not NaN', async () => {
    const statistics = await statisticsOf([]);
    expect(statistics).toMatchObject({ transitions: 0, episodes: 0, clampedShare: 0, return: { mean: 0 } });
    expect(JSON.stringify(statistics)).not.toContain('null');
  });
});

describe('coverage', () => {
  const state = (pitch: number, pitchRate: number) => ({ observation: [0, 0, pitch, pitchRate] });

  it('counts each cell once, however often it is visited', async () => {
    const once = await statisticsOf([state(0.01, 0.1)]);
    const often = await statisticsOf([state(0.01, 0.1), state(0.011, 0.11), state(0.012, 0.1)]);
    expect(once.coverage?.balance).toBeCloseTo(1 / 24 ** 2);
    expect(often.coverage).toEqual(once.coverage);
    expect((await statisticsOf([state(0.01, 0.1), state(-0.01, 0.1)])).coverage?.balance).toBeCloseTo(2 / 24 ** 2);
  });

  it('leaves out what is no working point: fallen, or faster than the map', async () => {
    expect((await statisticsOf([state(0.6, 0), state(0, 3.1)])).coverage).toEqual({ balance: 0, travel: 1 / 24 ** 2 });
  });

  it('is not said of observations that are another state', async () => {
    expect((await statisticsOf([{}], { sizes: [17, 6] })).coverage).toBeUndefined();
    const provenance = { observationNames: ['a', 'b', 'c', 'd'] };
    expect((await statisticsOf([{}], { provenance })).coverage).toBeUndefined();
  });
});
