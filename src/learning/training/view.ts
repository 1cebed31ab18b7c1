import { EdgeError } from '../../errors.ts';

/** How the networks see an observation, and what they are told of a reward. */
export interface ViewSettings {
  /** the numbers that they see, in their order, and what each is multiplied by */
  readonly terms: readonly { readonly name: string; readonly scale: number }[];
  /** the critic learns from (reward − offset) · scale */
  readonly reward: { readonly offset: number; readonly scale: number };
}

/**
 * Observations and rewards as the networks see them. Buffers keep what was measured, and each batch is seen anew: what is
 * saved from a buffer is in SI units, whatever the recipe.
 */
export class View {
  /** numbers that the networks see */
  readonly size: number;
  readonly reward: ViewSettings['reward'];
  readonly #columns: readonly number[];
  readonly #scales: readonly number[];

  /**
   * @param names one for each number of an observation
   * @throws EdgeError `trainingInvalid` for a term that is none of them
   */
  constructor(names: readonly string[], { terms, reward }: ViewSettings) {
    const unknown = terms.find(({ name }) => !names.includes(name));
    if (unknown) {
      throw new EdgeError(
        'trainingInvalid',
        `"${unknown.name}" is no observation of this environment`,
        `its observations are: ${names.join(', ')}`,
      );
    }
    this.#columns = terms.map(({ name }) => names.indexOf(name));
    this.#scales = terms.map(({ scale }) => scale);
    this.size = terms.length;
    this.reward = reward;
  }

  /** Writes one observation as the networks see it: from `from` on in `raw` to `to` on in `out`. */
  see(raw: Float32Array, from: number, out: Float32Array, to: number): void {
    for (let at = 0; at < this.size; at++) {
      out[to + at] = (raw[from + (this.#columns[at] as number)] as number) * (this.#scales[at] as number);
    }
  }

  /** All rows of an array of observations. */
  seeAll(raw: Float32Array, width: number): Float32Array {
    const rows = raw.length / width;
    const out = new Float32Array(rows * this.size);
    for (let row = 0; row < rows; row++) this.see(raw, row * width, out, row * this.size);
    return out;
  }
}
