import { EdgeError } from '../errors.ts';
import { drawFigure, type Figure } from '../figure.ts';
import { axesOf, type Coverage, MAP_NAMES, type MapName } from '../robot/coverage.ts';
import type { TransitionSource } from './source.ts';
import { type NamedMoments, namesOf, rateOf, type Survey, surveyDataset } from './statistics.ts';
import type { Transitions } from './transitions.ts';

export interface Plots {
  readonly survey: Survey;
  /** SVG documents by the name of the file that each belongs in */
  readonly files: ReadonlyMap<string, string>;
}

/** Columns of a histogram. */
const BINS = 48;
/** Places along the time axis; each shows the least, the greatest and the mean of the rows that fall there. */
const PLACES = 900;

/**
 * Draws a dataset: distributions of states and actions, what the robot did over time, and which states were visited. Reads
 * it twice, in fixed memory.
 * @throws EdgeError what reading throws, `datasetInvalid` when there is nothing to draw, `figuresMissing`
 */
export async function plotDataset(source: TransitionSource): Promise<Plots> {
  const survey = await surveyDataset(source);
  const { observations, actions, transitions } = survey.statistics;
  if (transitions === 0) {
    throw new EdgeError('datasetInvalid', `${source.path} holds no transition to draw`, 'record or import some first');
  }
  const names = [...namesOf(source.provenance, 'observationNames')];
  const histograms = [...observations, ...actions].map((moments) => new Bins(moments));
  const traces = tracedColumns(names, source.shape.observationSize).map((column) => new Trace(column, transitions));
  let row = 0;
  for await (const batch of source.batches()) {
    for (let index = 0; index < batch.count; index++, row++) {
      for (const [column, bins] of histograms.entries()) bins.add(valueAt(batch, index, column));
      for (const trace of traces) trace.add(row, valueAt(batch, index, trace.column));
    }
  }
  const files = new Map([
    ['distributions.svg', await drawFigure(histogramFigure(histograms))],
    ['time.svg', await drawFigure(timeFigure(traces, observations, rateOf(source.provenance)))],
  ]);
  if (survey.coverage) files.set('coverage.svg', await drawFigure(coverageFigure(survey.coverage)));
  return { survey, files };
}

/** Column of an observation, and behind those of an action. */
function valueAt(batch: Transitions, row: number, column: number): number {
  const { observationSize, actionSize } = batch;
  const action = column - observationSize;
  const value =
    action < 0 ? batch.observations[row * observationSize + column] : batch.actions[row * actionSize + action];
  return value ?? Number.NaN;
}

/** x, v and pitch where there are such columns, else the first three. */
function tracedColumns(names: readonly string[], columns: number): number[] {
  const wanted = ['x', 'v', 'pitch'].map((name) => names.indexOf(name)).filter((column) => column >= 0);
  return wanted.length > 0 ? wanted : Array.from({ length: Math.min(3, columns) }, (_, column) => column);
}

/** Counts of one column over its range. */
class Bins {
  readonly #moments: NamedMoments;
  readonly #counts = new Uint32Array(BINS);

  constructor(moments: NamedMoments) {
    this.#moments = moments;
  }

  add(value: number): void {
    const { min, max } = this.#moments;
    const bin = max > min ? Math.min(BINS - 1, Math.floor(((value - min) / (max - min)) * BINS)) : 0;
    this.#counts[bin] = (this.#counts[bin] ?? 0) + 1;
  }

  bars(): { name: string; from: number; to: number; rows: number }[] {
    const { name, min, max } = this.#moments;
    // A column that never changes is one bar.
    const [start, width] = max > min ? [min, (max - min) / BINS] : [min - 0.5, 1 / BINS];
    return [...this.#counts].map((rows, bin) => ({
      name,
      from: start + bin * width,
      to: start + (bin + 1) * width,
      rows,
    }));
  }
}

/** One column over time. */
class Trace {
  readonly column: number;
  readonly #rowsPerPlace: number;
  readonly #places: { min: number; max: number; sum: number; rows: number }[] = [];

  constructor(column: number, rows: number) {
    this.column = column;
    this.#rowsPerPlace = Math.max(1, Math.ceil(rows / PLACES));
  }

  add(row: number, value: number): void {
    const index = Math.floor(row / this.#rowsPerPlace);
    this.#places[index] ??= { min: value, max: value, sum: 0, rows: 0 };
    const place = this.#places[index];
    place.min = Math.min(place.min, value);
    place.max = Math.max(place.max, value);
    place.sum += value;
    place.rows += 1;
  }

  points(name: string, rate: number): { name: string; at: number; least: number; most: number; mean: number }[] {
    return this.#places.map(({ min, max, sum, rows }, index) => ({
      name,
      at: (index * this.#rowsPerPlace) / rate,
      least: min,
      most: max,
      mean: sum / rows,
    }));
  }
}

/** A panel for each quantity, in the order of the dataset, with its own scale. */
const panels = (values: ReadonlyArray<{ readonly name: string }>) => ({
  field: 'name',
  type: 'nominal' as const,
  title: null,
  sort: [...new Set(values.map(({ name }) => name))],
});

function histogramFigure(histograms: readonly Bins[]): Figure {
  const values = histograms.flatMap((bins) => bins.bars());
  return {
    description: 'How often each value of each state and action occurs in the dataset',
    data: { values },
    facet: { ...panels(values), header: { labelAnchor: 'start', labelFontSize: 12 } },
    columns: 3,
    spec: {
      width: 220,
      height: 110,
      mark: { type: 'bar', tooltip: true },
      encoding: {
        x: { field: 'from', type: 'quantitative', bin: { binned: true }, title: null },
        x2: { field: 'to' },
        y: { field: 'rows', type: 'quantitative', title: 'rows' },
      },
    },
    resolve: { scale: { x: 'independent', y: 'independent' } },
  };
}

function timeFigure(traces: readonly Trace[], observations: readonly NamedMoments[], rate: number | undefined): Figure {
  const values = traces.flatMap((trace) => trace.points(observations[trace.column]?.name ?? '', rate ?? 1));
  return {
    description: 'States over time: mean, and between which bounds they were',
    data: { values },
    facet: { row: { ...panels(values), header: { labelAngle: 0, labelAlign: 'left', labelFontSize: 12 } } },
    spec: {
      width: 720,
      height: 110,
      encoding: {
        x: {
          field: 'at',
          type: 'quantitative',
          title: rate === undefined ? 'transition' : 'time [s]',
          scale: { nice: false },
        },
      },
      layer: [
        {
          mark: { type: 'area', opacity: 0.3 },
          encoding: { y: { field: 'least', type: 'quantitative', title: null }, y2: { field: 'most' } },
        },
        {
          mark: { type: 'line', strokeWidth: 1 },
          encoding: { y: { field: 'mean', type: 'quantitative', title: null } },
        },
      ],
    },
    resolve: { scale: { y: 'independent' } },
  };
}

const UNITS = { x: 'x [m]', v: 'v [m/s]', pitch: 'pitch [rad]', pitchRate: 'pitch rate [rad/s]' } as const;

const coverageFigure = (coverage: Coverage): Figure => ({
  description: 'Which states were visited, and how often',
  hconcat: MAP_NAMES.map((name) => coverageMap(name, coverage)),
});

function coverageMap(name: MapName, coverage: Coverage) {
  const [across, up] = axesOf(name);
  const cells = coverage.cells(name);
  // A scale of one number would have no legend.
  const most = Math.max(10, ...cells.map(({ states }) => states));
  return {
    title: `${(100 * coverage.share(name)).toFixed(0)} % of the cells visited`,
    width: 300,
    height: 300,
    data: { values: cells },
    mark: { type: 'rect' as const },
    encoding: {
      x: axisOf('x', across),
      x2: { field: 'xEnd' },
      y: axisOf('y', up),
      y2: { field: 'yEnd' },
      color: {
        field: 'states',
        type: 'quantitative' as const,
        title: 'rows',
        scale: { type: 'log' as const, scheme: 'viridis' as const, domain: [1, most] },
      },
    },
  };
}

/** One side of a map, over its whole range. */
const axisOf = (field: string, { of, min, max }: ReturnType<typeof axesOf>[number]) => ({
  field,
  type: 'quantitative' as const,
  title: UNITS[of],
  scale: { domain: [min, max], nice: false },
});
