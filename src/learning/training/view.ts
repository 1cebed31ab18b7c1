import { EdgeError } from '../../errors.ts';

/** How the networks see an observation, and what they are told of a reward. */
export interface ViewSettings {
  /** names of numbers that are kept from the networks */
  readonly mask: readonly string[];
  /** by name, what a number is multiplied by; 1 where it is not named */
  readonly scale: Readonly<Record<string, number>>;
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
  /** of the observation, in the order in which the networks see them */
  readonly columns: readonly number[];
  readonly scales: readonly number[];
  readonly names: readonly string[];
  readonly reward: ViewSettings['reward'];

  /**
   * @param names one for each number of an observation
   * @throws EdgeError `trainingInvalid` for a mask or a scale of what is no observation, and a mask of everything
   */
  constructor(names: readonly string[], { mask, scale, reward }: ViewSettings) {
    const unknown = [...mask, ...Object.keys(scale)].find((name) => !names.includes(name));
    if (unknown !== undefined) {
      throw new EdgeError(
        'trainingInvalid',
        `"${unknown}" is masked or scaled, and is no observation of this environment`,
        `its observations are: ${names.join(', ')}`,
      );
    }
    this.columns = names.map((_, column) => column).filter((column) => !mask.includes(names[column] ?? ''));
    this.names = this.columns.map((column) => names[column] ?? '');
    this.scales = this.names.map((name) => scale[name] ?? 1);
    this.size = this.columns.length;
    this.reward = reward;
    if (this.size === 0) throw new EdgeError('trainingInvalid', 'every observation is masked', 'leave some unmasked');
  }

  /** Writes one observation as the networks see it: from `from` on in `raw` to `to` on in `out`. */
  see(raw: Float32Array, from: number, out: Float32Array, to: number): void {
    for (let at = 0; at < this.size; at++) {
      out[to + at] = (raw[from + (this.columns[at] as number)] as number) * (this.scales[at] as number);
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
