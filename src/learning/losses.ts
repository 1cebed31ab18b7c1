import { tf } from './tf.ts';

// Every tensor is per sample, [B], or [K, B] with a seed axis; a loss is [] or [K]. α is [1] or [K, 1].

export const mean = (perSample: tf.Tensor): tf.Tensor => tf.mean(perSample, -1);

/** y = r + γ(1 − d)·V(s') */
export function bellmanTarget(reward: tf.Tensor, done: tf.Tensor, nextValue: tf.Tensor, discount: number): tf.Tensor {
  return tf.add(reward, tf.mul(tf.mul(tf.sub(1, done), discount), nextValue));
}

/** J_π = E[α·log π(a|s) − min(Q1, Q2)(s, a)], a ~ π */
export function policyLoss(alpha: tf.Tensor, logPi: tf.Tensor, [q1, q2]: readonly [tf.Tensor, tf.Tensor]): tf.Tensor {
  return mean(tf.sub(tf.mul(alpha, logPi), tf.minimum(q1, q2)));
}

/** J_α = −E[log α·(log π(a|s) + H̄)], in log α as in the authors' code, where Haarnoja et al. (2018) have α */
export function temperatureLoss(logAlpha: tf.Tensor, logPi: tf.Tensor, targetEntropy: number): tf.Tensor {
  return tf.neg(mean(tf.mul(logAlpha, tf.add(logPi, targetEntropy))));
}

/** E[w·(Q − y)²]; without w the plain mean */
export function bellmanLoss(q: tf.Tensor, target: tf.Tensor, weight?: tf.Tensor): tf.Tensor {
  const squared = tf.square(tf.sub(q, target));
  return mean(weight ? tf.mul(weight, squared) : squared);
}

/** E[|κ − 1(e < 0)|·e²], e = target − V: for κ above 0.5 the V above which few targets lie */
export function expectileLoss(target: tf.Tensor, v: tf.Tensor, quantile: number): tf.Tensor {
  const error = tf.sub(target, v);
  const weight = tf.where(
    tf.greaterEqual(error, 0),
    tf.fill(error.shape, quantile),
    tf.fill(error.shape, 1 - quantile),
  );
  return mean(tf.mul(weight, tf.square(error)));
}

/**
 * −E_real[log p(real)] − E_sim[log p(sim)] = E_real[softplus(gap)] + E_sim[softplus(−gap)], p = softmax of two logits
 * @param gap logit of "sim" less that of "real" of every row, [B_real + B_sim], real rows first
 */
export function discriminatorLoss(gap: tf.Tensor, real: number, sim: number): tf.Tensor {
  const perRow = (ofReal: number, ofSim: number) =>
    tf.tensor1d(Array.from({ length: real + sim }, (_, row) => (row < real ? ofReal : ofSim)));
  return tf.sum(tf.mul(tf.softplus(tf.mul(gap, perRow(1, -1))), perRow(1 / real, 1 / sim)), -1);
}

/** Logit of "sim" less that of "real", [B, 2] → [B]. */
export function logitGap(logits: tf.Tensor): tf.Tensor {
  return tf.sum(tf.mul(logits, tf.tensor1d([-1, 1])), -1);
}

/** log Σ exp over the last axis, [.., n] → [..]; its gradient is the softmax, stated so because that is a shorter graph. */
export const logSumExp = tf.customGrad((x, save) => {
  const values = x as tf.Tensor;
  const top = tf.max(values, -1, true);
  const sum = tf.sum(tf.exp(tf.sub(values, top)), -1, true);
  const result = tf.squeeze(tf.add(tf.log(sum), top), [-1]);
  (save as tf.GradSaveFunc)([values, result]);
  return {
    value: result,
    gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
      const [input, output] = saved as [tf.Tensor, tf.Tensor];
      return tf.mul(tf.expandDims(dy, -1), tf.exp(tf.sub(input, tf.expandDims(output, -1))));
    },
  };
});

/** Clips, with no gradient outside the bounds; infinite bounds do nothing. */
export function clip(x: tf.Tensor, [low, high]: readonly [number, number]): tf.Tensor {
  return low === Number.NEGATIVE_INFINITY && high === Number.POSITIVE_INFINITY ? x : tf.clipByValue(x, low, high);
}
