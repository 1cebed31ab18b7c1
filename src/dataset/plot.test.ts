import { describe, expect, it } from 'vitest';
import { plotDataset } from './plot.ts';
import { sourceOf } from './sources.testing.ts';

const named = { rate: 50, observationNames: ['x', 'v', 'pitch', 'pitch_rate'], actionNames: ['wheel_torque'] };
const rows = Array.from({ length: 3000 }, (_, row) => ({
  observation: [row / 3000, Math.sin(row / 100) / 2, Math.cos(row / 50) / 9, Math.sin(row / 50)],
  action: [Math.sin(row / 20)],
  timeout: row === 2999,
}));

/** Texts in a figure: titles, units, labels. */
const textsOf = (svg = ''): string[] => [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text ?? '');

describe('the figures of a dataset', () => {
  it('are distributions of states and actions, states over time, and the coverage', async () => {
    const { files, survey } = await plotDataset(sourceOf(rows, { provenance: named }));
    expect([...files.keys()]).toEqual(['distributions.svg', 'time.svg', 'coverage.svg']);
    for (const svg of files.values()) expect(svg).toMatch(/^<svg[^>]* viewBox=.*<\/svg>$/s);
    expect(textsOf(files.get('distributions.svg'))).toEqual(
      expect.arrayContaining([...named.observationNames, 'wheel_torque', 'rows']),
    );
    expect(textsOf(files.get('time.svg'))).toEqual(expect.arrayContaining(['x', 'v', 'pitch', 'time [s]', '50']));
    const share = `${Math.round(100 * (survey.statistics.coverage?.balance ?? 0))} % of the cells visited`;
    expect(textsOf(files.get('coverage.svg'))).toContain(share);
  });

  it('draw what there is, of other data too', async () => {
    const { files } = await plotDataset(sourceOf([{}, { action: [1, 2] }], { sizes: [5, 2] }));
    expect([...files.keys()]).toEqual(['distributions.svg', 'time.svg']);
    expect(textsOf(files.get('time.svg'))).toEqual(expect.arrayContaining(['observation 0', 'transition']));
  });

  it('draw a column that never changes', async () => {
    const { files } = await plotDataset(sourceOf([{ observation: [1, 1, 1, 1] }]));
    for (const svg of files.values()) expect(svg).not.toContain('NaN');
  });

  it('are refused of nothing', async () => {
    await expect(plotDataset(sourceOf([]))).rejects.toMatchObject({ codeName: 'datasetInvalid' });
  });
});
