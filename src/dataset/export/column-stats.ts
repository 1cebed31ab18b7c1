/** Smallest, largest, mean and spread of each column of rows that pass by once. */
export class ColumnStats {
  readonly width: number;
  count = 0;
  readonly min: Float64Array;
  readonly max: Float64Array;
  readonly #mean: Float64Array;
  /** sum of squared differences from the mean (Welford) */
  readonly #squares: Float64Array;

  constructor(width: number) {
    this.width = width;
    this.min = new Float64Array(width).fill(Number.POSITIVE_INFINITY);
    this.max = new Float64Array(width).fill(Number.NEGATIVE_INFINITY);
    this.#mean = new Float64Array(width);
    this.#squares = new Float64Array(width);
  }

  /** Rows of `width` numbers, flat. */
  add(rows: ArrayLike<number>): void {
    const { width, min, max } = this;
    for (let at = 0; at < rows.length; at += width) {
      this.count += 1;
      for (let column = 0; column < width; column++) {
        const value = rows[at + column] ?? 0;
        if (value < (min[column] ?? 0)) min[column] = value;
        if (value > (max[column] ?? 0)) max[column] = value;
        const before = this.#mean[column] ?? 0;
        const mean = before + (value - before) / this.count;
        this.#mean[column] = mean;
        this.#squares[column] = (this.#squares[column] ?? 0) + (value - before) * (value - mean);
      }
    }
  }

  get mean(): number[] {
    return [...this.#mean];
  }

  /** of the population */
  get std(): number[] {
    return [...this.#squares].map((squares) => Math.sqrt(squares / Math.max(1, this.count)));
  }
}
