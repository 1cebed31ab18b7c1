import { Random } from '../../random.ts';

/** Layers of the ziggurat (Marsaglia and Tsang 2000): all of equal area, the lowest with the tail. */
const LAYERS = 128;
/** Where the tail begins, and the area of each layer, for 128 of them. Source: the paper. */
const TAIL = 3.442619855899;
const AREA = 9.91256303526217e-3;

/** Right edges of the layers, from the tail's inwards; `edge[LAYERS]` is 0. */
const edges = new Float64Array(LAYERS + 1);
/** exp(-x²/2) at the edges */
const heights = new Float64Array(LAYERS + 1);
{
  const density = (x: number) => Math.exp(-0.5 * x * x);
  edges[0] = AREA / density(TAIL);
  edges[1] = TAIL;
  for (let layer = 2; layer < LAYERS; layer++) {
    const before = edges[layer - 1] ?? 0;
    edges[layer] = Math.sqrt(-2 * Math.log(AREA / before + density(before)));
  }
  edges.forEach((x, layer) => {
    heights[layer] = density(x);
  });
}

/**
 * Random numbers by the ten thousand, for batches and their noise; a seed repeats them bit by bit. Its whole memory is four
 * numbers, which go into a checkpoint.
 */
export class NoiseStream {
  /** sfc32 */
  readonly #state = new Int32Array(4);

  constructor(seed: number) {
    const random = new Random(seed);
    for (let at = 0; at < 3; at++) this.#state[at] = random.uint32();
    this.#state[3] = 1;
  }

  remember(): readonly number[] {
    return [...this.#state];
  }

  recall(memory: readonly number[]): void {
    this.#state.set(memory);
  }

  /** One of 0 … n − 1. */
  index(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    return (this.#next() >>> 0) / 2 ** 32;
  }

  /** Uniform in (−1, 1). */
  fillUniform(out: Float32Array): void {
    for (let at = 0; at < out.length; at++) out[at] = ((this.#next() >>> 8) + 0.5) / 2 ** 23 - 1;
  }

  /** Mean 0, variance 1. */
  fillNormal(out: Float32Array): void {
    for (let at = 0; at < out.length; at++) out[at] = this.normal();
  }

  /** Mean 0, variance 1. */
  normal(): number {
    for (;;) {
      const bits = this.#next();
      // 7 bits say which layer, the others, with a sign, where in it.
      const layer = bits & (LAYERS - 1);
      const x = (bits >> 7) * 2 ** -24 * (edges[layer] as number);
      if (Math.abs(x) < (edges[layer + 1] as number)) return x;
      if (layer === 0) return this.#tail(x < 0);
      const low = heights[layer] as number;
      const high = heights[layer + 1] as number;
      if (low + this.uniform() * (high - low) < Math.exp(-0.5 * x * x)) return x;
    }
  }

  #tail(negative: boolean): number {
    for (;;) {
      const x = -Math.log(1 - this.uniform()) / TAIL;
      const y = -Math.log(1 - this.uniform());
      if (y + y > x * x) return negative ? -TAIL - x : TAIL + x;
    }
  }

  #next(): number {
    const state = this.#state;
    const b = state[1] as number;
    const c = state[2] as number;
    const counter = state[3] as number;
    const sum = ((state[0] as number) + b + counter) | 0;
    state[0] = b ^ (b >>> 9);
    state[1] = (c + (c << 3)) | 0;
    state[2] = (((c << 21) | (c >>> 11)) + sum) | 0;
    state[3] = counter + 1;
    return sum;
  }
}
