import { tf } from './tf.ts';

export interface AdamStep {
  /** all parameters of one optimiser in a row, [P], or [K, P] for K seeds */
  readonly parameters: tf.Tensor;
  /** of the loss, as the parameters */
  readonly gradient: tf.Tensor;
  /** running mean of the gradient, as the parameters; zeros at first */
  readonly m: tf.Tensor;
  /** running mean of its square, as the parameters; zeros at first */
  readonly v: tf.Tensor;
  /** number of this update, from 1; a scalar, since a number would be fixed by the trace */
  readonly step: tf.Tensor;
  /** learning rate; a tensor where it changes */
  readonly lr: tf.Tensor | number;
  /** default 0.9 */
  readonly beta1?: number;
  /** default 0.999 */
  readonly beta2?: number;
  /** default 1e-8 */
  readonly eps?: number;
}

export interface AdamResult {
  readonly parameters: tf.Tensor;
  readonly m: tf.Tensor;
  readonly v: tf.Tensor;
}

/**
 * One update of Adam (Kingma and Ba, arXiv 1412.6980, algorithm 1) as PyTorch has it: ε is added to the square root after
 * the correction of its bias. Pure: the caller assigns the new values.
 *
 *   m ← β₁ m + (1 − β₁) g        v ← β₂ v + (1 − β₂) g²
 *   θ ← θ − lr / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε)
 */
export function adamUpdate(update: AdamStep): AdamResult {
  const { parameters, gradient, m, v, step, lr, beta1 = 0.9, beta2 = 0.999, eps = 1e-8 } = update;
  const newM = tf.add(m, tf.mul(tf.sub(gradient, m), 1 - beta1));
  const newV = tf.add(v, tf.mul(tf.sub(tf.square(gradient), v), 1 - beta2));
  // θ's formula with both fractions expanded by √(1 − β₂ᵗ): all corrections are then single numbers.
  const root = tf.sqrt(oneMinusPower(beta2, step));
  const rate = tf.div(tf.mul(root, lr), oneMinusPower(beta1, step));
  const change = tf.div(tf.mul(newM, rate), tf.add(tf.sqrt(newV), tf.mul(root, eps)));
  return { parameters: tf.sub(parameters, change), m: newM, v: newV };
}

/**
 * 1 − βᵗ in single precision without the loss that 0.999¹ next to 1 would bring (1e-5 of the first step):
 * −expm1(x) = −tanh(x/2) · (eˣ + 1) with x = t ln β.
 */
function oneMinusPower(beta: number, step: tf.Tensor): tf.Tensor {
  const x = tf.mul(step, Math.log(beta));
  return tf.mul(tf.neg(tf.tanh(tf.mul(x, 0.5))), tf.add(tf.exp(x), 1));
}
