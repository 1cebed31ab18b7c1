/** Buckets grow by a twentieth of an octave, so that a quantile is off by at most 3.5 %. */
const BUCKETS_PER_OCTAVE = 20;
const OCTAVES = 32;

/** Quantiles of a positive quantity over months in fixed memory. */
export class Histogram {
  readonly #buckets = new Uint32Array(BUCKETS_PER_OCTAVE * OCTAVES);
  #count = 0;
  #max = 0;
  #sum = 0;

  add(value: number): void {
    const index = value > 1 ? Math.floor(Math.log2(value) * BUCKETS_PER_OCTAVE) : 0;
    const bucket = Math.min(index, this.#buckets.length - 1);
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1;
    this.#count += 1;
    this.#sum += value;
    this.#max = Math.max(this.#max, value);
  }

  /** @param share 0.5 for the median; 0 when nothing was added */
  quantile(share: number): number {
    const wanted = share * this.#count;
    let seen = 0;
    for (const [index, count] of this.#buckets.entries()) {
      seen += count;
      if (seen >= wanted && count > 0) return Math.min(2 ** ((index + 1) / BUCKETS_PER_OCTAVE), this.#max);
    }
    return 0;
  }

  /** Of everything that was added. */
  get sum(): number {
    return this.#sum;
  }

  /** How many values were at most `bound`, counted to the bucket that it falls into. */
  upTo(bound: number): number {
    const last = Math.floor(Math.log2(bound) * BUCKETS_PER_OCTAVE);
    return this.#buckets.subarray(0, last).reduce((sum, count) => sum + count, 0);
  }

  summary(): { count: number; p50: number; p99: number; p999: number; max: number } {
    const round = (value: number) => Math.round(value * 10) / 10;
    return {
      count: this.#count,
      p50: round(this.quantile(0.5)),
      p99: round(this.quantile(0.99)),
      p999: round(this.quantile(0.999)),
      max: round(this.#max),
    };
  }
}
