import { readFileSync } from 'node:fs';
import { drawFigure, type Figure } from '../../figure.ts';
import type { MetricsRecord } from './training.ts';

/** Evaluations at the end of a run that count: the last ones, never the best. */
export const LAST_EVALUATIONS = 5;

export function readMetrics(path: string): MetricsRecord[] {
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as MetricsRecord);
}

export interface SeedSummary {
  readonly seed: number;
  /** mean over the last evaluations */
  readonly meanReturn: number;
  readonly survivalSeconds?: number;
  /** evaluations that these are means of */
  readonly of: number;
}

/** Each seed by the mean of its last evaluations. */
export function summarise(records: readonly MetricsRecord[], last = LAST_EVALUATIONS): SeedSummary[] {
  const seeds = [...new Set(records.map(({ seed }) => seed))];
  return seeds.flatMap((seed) => {
    const evaluations = records.filter((record) => record.kind === 'evaluation' && record.seed === seed).slice(-last);
    if (evaluations.length === 0) return [];
    const mean = (of: (record: MetricsRecord) => number) =>
      evaluations.reduce((sum, record) => sum + of(record), 0) / evaluations.length;
    const survival = (record: MetricsRecord) => (record.survivalSeconds as { mean: number } | undefined)?.mean;
    const survived = evaluations.every((record) => survival(record) !== undefined);
    return [
      {
        seed,
        meanReturn: mean((record) => record.meanReturn as number),
        ...(survived && { survivalSeconds: mean((record) => survival(record) ?? 0) }),
        of: evaluations.length,
      },
    ];
  });
}

/** What is drawn, where a run has it: every seed a line of its own. */
const PANELS = [
  { title: 'return of an evaluation', kind: 'evaluation', value: (record: MetricsRecord) => record.meanReturn },
  {
    title: 'survival in evaluations [s]',
    kind: 'evaluation',
    value: (record: MetricsRecord) => (record.survivalSeconds as { mean: number } | undefined)?.mean,
  },
  { title: 'loss of the first critic', kind: 'training', value: (record: MetricsRecord) => record['q1/loss'] },
  { title: 'temperature α', kind: 'training', value: (record: MetricsRecord) => record.alpha },
] as const;

/** The learning curves of a run as a figure; undefined when nothing was measured yet. */
export function curvesFigure(records: readonly MetricsRecord[], title: string): Figure | undefined {
  const panels = PANELS.flatMap(({ title: axis, kind, value }) => {
    const values = records
      .filter((record) => record.kind === kind)
      .map((record) => ({ step: record.step, seed: String(record.seed), value: value(record) }))
      .filter((point) => typeof point.value === 'number');
    if (values.length === 0) return [];
    return [
      {
        width: 360,
        height: 180,
        data: { values },
        mark: { type: 'line' as const, point: kind === 'evaluation' },
        encoding: {
          x: { field: 'step', type: 'quantitative' as const, title: 'gradient steps' },
          y: { field: 'value', type: 'quantitative' as const, title: axis },
          color: { field: 'seed', type: 'nominal' as const, title: 'seed' },
        },
      },
    ];
  });
  if (panels.length === 0) return undefined;
  return { title, columns: 2, concat: panels };
}

/** Draws the learning curves of a run as an SVG document. */
export async function drawCurves(records: readonly MetricsRecord[], title: string): Promise<string | undefined> {
  const figure = curvesFigure(records, title);
  return figure && drawFigure(figure);
}
