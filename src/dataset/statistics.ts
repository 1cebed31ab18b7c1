import { Coverage, type MapName } from '../robot/coverage.ts';
import { CLAMPED, MARKS, type Mark, markBit } from './marks.ts';
import type { TransitionSource } from './source.ts';
import { endsEpisode, type Provenance, type Transitions } from './transitions.ts';

/** Of one quantity. All are 0 where there is no value. */
export interface Moments {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  /** of the values themselves: divided by n */
  readonly std: number;
}

export interface NamedMoments extends Moments {
  readonly name: string;
}

/** What a dataset is like. */
export interface Statistics {
  readonly transitions: number;
  /** stretches without a break */
  readonly episodes: number;
  /** episodes that ended in a terminal state */
  readonly falls: number;
  /** episodes that were cut: by time, a gap, a change of mode or policy, the end of the data */
  readonly cuts: number;
  /** transitions / rate [s]; absent where the rate is not known */
  readonly seconds?: number;
  /** of an episode: undiscounted sum of its rewards */
  readonly return: Moments;
  /** of an episode [transitions] */
  readonly length: Moments;
  readonly reward: Moments;
  readonly observations: readonly NamedMoments[];
  readonly actions: readonly NamedMoments[];
  /** share of the transitions on which a limit acted, 0 to 1; absent, like `marks`, where nobody knows */
  readonly clampedShare?: number;
  /** share of the transitions with each mark that occurs */
  readonly marks?: Partial<Record<Mark, number>>;
  /** share of each map's cells that was visited; absent where observations are not the state of the paper's tasks */
  readonly coverage?: Readonly<Record<MapName, number>>;
}

export interface Survey {
  readonly statistics: Statistics;
  readonly coverage: Coverage | undefined;
}

/** State of the paper's tasks, in the order of its observations. */
const TASK_STATE = ['x', 'v', 'pitch', 'pitch_rate'] as const;

/**
 * Reads a dataset once, in fixed memory, and says what it is like.
 * @throws EdgeError what reading it throws
 */
export async function surveyDataset(source: TransitionSource): Promise<Survey> {
  const { observationSize, actionSize, marked } = source.shape;
  const observations = Array.from({ length: observationSize }, () => new Accumulator());
  const actions = Array.from({ length: actionSize }, () => new Accumulator());
  const [reward, length, returns] = [new Accumulator(), new Accumulator(), new Accumulator()];
  const markCounts = new Uint32Array(MARKS.length);
  const clampedMask = CLAMPED.reduce((mask, mark) => mask | markBit(mark), 0);
  const coverage = hasTaskState(source) ? new Coverage() : undefined;
  let falls = 0;
  let clamped = 0;
  let steps = 0;
  let sum = 0;

  const take = (batch: Transitions, row: number): void => {
    addRow(observations, batch.observations, row);
    addRow(actions, batch.actions, row);
    coverage?.add(batch.observations.subarray(row * observationSize, (row + 1) * observationSize));
    const earned = batch.rewards[row] ?? 0;
    reward.add(earned);
    const marks = batch.marks?.[row] ?? 0;
    if ((marks & clampedMask) !== 0) clamped += 1;
    for (let rest = marks; rest !== 0; rest &= rest - 1) {
      const bit = 31 - Math.clz32(rest & -rest);
      markCounts[bit] = (markCounts[bit] ?? 0) + 1;
    }
    steps += 1;
    sum += earned;
    if (!endsEpisode(batch, row)) return;
    if (batch.terminals[row] === 1) falls += 1;
    length.add(steps);
    returns.add(sum);
    steps = 0;
    sum = 0;
  };
  for await (const batch of source.batches()) for (let row = 0; row < batch.count; row++) take(batch, row);
  // Foreign data may end without saying so.
  if (steps > 0) {
    length.add(steps);
    returns.add(sum);
  }

  const { provenance } = source;
  const rate = rateOf(provenance);
  const share = (count: number) => (reward.count === 0 ? 0 : count / reward.count);
  const statistics: Statistics = {
    transitions: reward.count,
    episodes: length.count,
    falls,
    cuts: length.count - falls,
    ...(rate !== undefined && { seconds: reward.count / rate }),
    return: returns.moments(),
    length: length.moments(),
    reward: reward.moments(),
    observations: named(observations, namesOf(provenance, 'observationNames'), 'observation'),
    actions: named(actions, namesOf(provenance, 'actionNames'), 'action'),
    ...(marked && {
      clampedShare: share(clamped),
      marks: Object.fromEntries(
        MARKS.flatMap((mark, bit) => (markCounts[bit] ? [[mark, share(markCounts[bit])]] : [])),
      ),
    }),
    ...(coverage && { coverage: { balance: coverage.share('balance'), travel: coverage.share('travel') } }),
  };
  return { statistics, coverage };
}

/** Decisions per second, where the dataset says so [Hz]. */
export function rateOf({ rate }: Provenance): number | undefined {
  return typeof rate === 'number' && rate > 0 ? rate : undefined;
}

/** Names that a dataset gives its columns. */
export function namesOf(provenance: Provenance, key: 'observationNames' | 'actionNames'): readonly string[] {
  const names = provenance[key];
  return Array.isArray(names) ? names.map(String) : [];
}

/** Whether observations are the state of the paper's tasks. A dataset of four numbers without names is taken for one. */
function hasTaskState({ shape, provenance }: TransitionSource): boolean {
  if (shape.observationSize !== TASK_STATE.length) return false;
  const names = namesOf(provenance, 'observationNames');
  return names.length === 0 || TASK_STATE.every((name, index) => names[index] === name);
}

function addRow(accumulators: readonly Accumulator[], values: Float32Array, row: number): void {
  for (const [index, accumulator] of accumulators.entries()) {
    accumulator.add(values[row * accumulators.length + index] ?? Number.NaN);
  }
}

const named = (accumulators: readonly Accumulator[], names: readonly string[], what: string): NamedMoments[] =>
  accumulators.map((one, index) => ({ name: names[index] ?? `${what} ${index}`, ...one.moments() }));

/** Mean and variance in one pass without cancellation (Welford 1962, Technometrics 4, p. 419). */
class Accumulator {
  count = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;
  #mean = 0;
  #squares = 0;

  add(value: number): void {
    this.count += 1;
    this.#min = Math.min(this.#min, value);
    this.#max = Math.max(this.#max, value);
    const off = value - this.#mean;
    this.#mean += off / this.count;
    this.#squares += off * (value - this.#mean);
  }

  moments(): Moments {
    if (this.count === 0) return { min: 0, max: 0, mean: 0, std: 0 };
    return { min: this.#min, max: this.#max, mean: this.#mean, std: Math.sqrt(this.#squares / this.count) };
  }
}
