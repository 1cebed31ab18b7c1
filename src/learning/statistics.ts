import type { Moments } from './dynamics-ratio.ts';

/**
 * Mean and population standard deviation of each column.
 * @param rows numbers of all rows, one row after the other
 * @param width numbers in a row
 */
export function momentsOf(rows: ArrayLike<number>, width: number): Moments {
  return padded(rows, width, rows.length / width);
}

/** The same as if `count` rows were there, those that are missing being zero. */
function padded(rows: ArrayLike<number>, width: number, count: number): Moments {
  const columns = Array.from({ length: width }, (_, column) => {
    let sum = 0;
    for (let at = column; at < rows.length; at += width) sum += rows[at] ?? Number.NaN;
    const mean = sum / count;
    let squares = (count - rows.length / width) * mean * mean;
    for (let at = column; at < rows.length; at += width) squares += ((rows[at] ?? Number.NaN) - mean) ** 2;
    return { mean, std: Math.sqrt(squares / count) };
  });
  return { mean: columns.map(({ mean }) => mean), std: columns.map(({ std }) => std) };
}

/**
 * What the samples around s' are spread by when the dynamics gap u is estimated.
 *
 * - `change`: the spread of s' − s, so that a sample is another likely outcome of this state.
 * - `state`: the spread of s. Between states of successive decisions that are alike this is many times too wide.
 * - `published`: as the authors' buffer computes it, over its whole memory: N rows of data and ten times as many of zeros,
 *   plus 0.001. For numbers around zero that is 0.30 of `state`, by accident.
 */
export const sigmaModes = ['change', 'state', 'published'] as const;
export type SigmaMode = (typeof sigmaModes)[number];

/** Rows of the authors' buffer for every row of data: the data itself and room for ten times as much from the simulator. */
export const publishedBufferRatio = 11;

/**
 * @param s states of the real data, row after row
 * @param sNext their successors
 * @param bufferRows rows of the authors' buffer, where that is known
 * @returns [dS]
 */
export function nextStateSigma(
  mode: SigmaMode,
  {
    s,
    sNext,
    width,
    bufferRows,
  }: {
    readonly s: ArrayLike<number>;
    readonly sNext: ArrayLike<number>;
    readonly width: number;
    readonly bufferRows?: number;
  },
): readonly number[] {
  switch (mode) {
    case 'change':
      return momentsOf(changes(s, sNext), width).std;
    case 'state':
      return momentsOf(s, width).std;
    case 'published':
      return padded(s, width, bufferRows ?? (publishedBufferRatio * s.length) / width).std.map((std) => std + 1e-3);
  }
}

/** s' − s of every row. */
export const changes = (s: ArrayLike<number>, sNext: ArrayLike<number>): Float64Array =>
  Float64Array.from({ length: s.length }, (_, at) => (sNext[at] ?? Number.NaN) - (s[at] ?? Number.NaN));
