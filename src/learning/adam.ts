import * as tf from '@tensorflow/tfjs-core';

export interface AdamUpdate {
  readonly parameters: tf.Variable;
  readonly gradient: tf.Tensor;
  readonly m: tf.Variable;
  readonly v: tf.Variable;
  /** number of this step, from 1 */
  readonly step: tf.Tensor;
  readonly lr: tf.Tensor;
  readonly beta1?: number;
  readonly beta2?: number;
  readonly eps?: number;
}

/** Adam (Kingma & Ba 2015) with ε after the bias-corrected root, as PyTorch's. */
export function adamUpdate({ parameters, gradient, m, v, step, lr, ...betas }: AdamUpdate): void {
  const { beta1 = 0.9, beta2 = 0.999, eps = 1e-8 } = betas;
  m.assign(tf.add(tf.mul(m, beta1), tf.mul(gradient, 1 - beta1)));
  v.assign(tf.add(tf.mul(v, beta2), tf.mul(tf.square(gradient), 1 - beta2)));
  const mHat = tf.div(m, tf.sub(1, tf.pow(beta1, step)));
  const vHat = tf.div(v, tf.sub(1, tf.pow(beta2, step)));
  parameters.assign(tf.sub(parameters, tf.div(tf.mul(mHat, lr), tf.add(tf.sqrt(vHat), eps))));
}
