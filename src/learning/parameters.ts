import { tf } from './tf.ts';

/** One named array inside a flat parameter vector. */
export interface Slice {
  readonly name: string;
  /** [in, out] of a weight, [out] of a bias, [1] of a scalar */
  readonly shape: readonly number[];
}

export type Slices = Readonly<Record<string, tf.Tensor>>;

/**
 * Which numbers of a flat parameter vector are what. One vector per optimiser keeps the graph of a step small: Adam is then
 * a dozen nodes per optimiser instead of a dozen per layer.
 */
export class Layout {
  readonly slices: readonly Slice[];
  readonly size: number;
  readonly #sizes: readonly number[];

  constructor(slices: readonly Slice[]) {
    this.slices = slices;
    this.#sizes = slices.map(({ shape }) => elements(shape));
    this.size = this.#sizes.reduce((sum, size) => sum + size, 0);
  }

  /**
   * Cuts a vector [size] into its arrays, or [K, size] of K seeds into arrays with a leading axis of K.
   * With that axis a bias [out] becomes [K, 1, out], so that it is added to every row of [K, B, out].
   */
  split(flat: tf.Tensor): Slices {
    const lead = flat.shape.slice(0, -1);
    const pieces = this.slices.length === 1 ? [flat] : tf.split(flat, [...this.#sizes], -1);
    return Object.fromEntries(
      this.slices.map(({ name, shape }, index) => {
        const inserted = lead.length > 0 && shape.length === 1 ? [1] : [];
        const piece = pieces[index] as tf.Tensor;
        const wanted = [...lead, ...inserted, ...shape];
        return [name, wanted.length === piece.rank ? piece : tf.reshape(piece, wanted)];
      }),
    );
  }

  /** The numbers of one seed by name; views into `flat`, not copies. */
  read(flat: Float32Array, seed = 0): Record<string, Float32Array> {
    let at = seed * this.size;
    return Object.fromEntries(
      this.slices.map(({ name }, index) => {
        const start = at;
        at += this.#sizes[index] ?? 0;
        return [name, flat.subarray(start, at)];
      }),
    );
  }
}

/** The vector of one seed out of [K, size]; a view, not a copy. */
export const ofSeed = (flat: Float32Array, { size }: Layout, seed: number): Float32Array =>
  flat.subarray(seed * size, (seed + 1) * size);

export const elements = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** Slices of a dense network: `W0 b0 W1 b1 …`, each name after `prefix`. */
export function denseSlices(sizes: readonly number[], prefix = ''): Slice[] {
  return sizes.slice(1).flatMap((width, index) => [
    { name: `${prefix}W${index}`, shape: [sizes[index] ?? 0, width] },
    { name: `${prefix}b${index}`, shape: [width] },
  ]);
}

/** A loss and its gradients, with whatever else the loss function computed. */
export type Gradients<T> = { readonly loss: tf.Tensor; readonly gradients: tf.Tensor[] } & T;
export type Gradient<T> = { readonly loss: tf.Tensor; readonly gradient: tf.Tensor } & T;

/**
 * d loss / d parameters, for several parameter vectors of one loss. With a leading seed axis the loss is one number per
 * seed, and as no seed's loss depends on another seed's parameters, the gradient of their sum holds each seed's own.
 * @param parameters [size] or [K, size] each
 * @param f gives `loss`, [] or [K], and by other names tensors that are wanted outside; they carry no gradient there
 */
export function gradientsOf<T extends Readonly<Record<string, tf.Tensor>>>(
  parameters: readonly tf.Tensor[],
  f: (...parameters: tf.Tensor[]) => { readonly loss: tf.Tensor } & T,
): Gradients<T> {
  let kept: [string, tf.Tensor][] = [];
  const { value, grads } = tf.valueAndGrads((...flat: tf.Tensor[]) => {
    const { loss, ...others } = f(...flat);
    kept = Object.entries<tf.Tensor>(others).map(([name, tensor]) => [name, tf.keep(tensor.clone())]);
    return loss;
  })([...parameters]);
  // What was computed under the tape lives only inside it: a clone brings it into the caller's scope.
  const others = Object.fromEntries(
    kept.map(([name, tensor]) => {
      const outside = tensor.clone();
      tensor.dispose();
      return [name, outside];
    }),
  );
  return { ...(others as unknown as T), loss: value, gradients: grads };
}

/** The same for one parameter vector. */
export function gradientOf<T extends Readonly<Record<string, tf.Tensor>>>(
  parameters: tf.Tensor,
  f: (parameters: tf.Tensor) => { readonly loss: tf.Tensor } & T,
): Gradient<T> {
  const { gradients, ...others } = gradientsOf<T>([parameters], (flat) => f(flat as tf.Tensor));
  return { ...(others as unknown as { loss: tf.Tensor } & T), gradient: gradients[0] as tf.Tensor };
}
