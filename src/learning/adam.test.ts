import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adamUpdate } from './adam.ts';
import { tf } from './tf.ts';

/** PyTorch's torch.optim.Adam, in double precision and as its documentation writes it. */
function reference(gradients: readonly number[], lr: number, eps: number): number {
  let [parameter, m, v] = [1, 0, 0];
  gradients.forEach((g, index) => {
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    const t = index + 1;
    parameter -= (lr * (m / (1 - 0.9 ** t))) / (Math.sqrt(v / (1 - 0.999 ** t)) + eps);
  });
  return parameter;
}

describe('Adam', () => {
  it("is PyTorch's, in the first steps and later, also where ε counts", () => {
    const gradients = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(gradients, fc.constantFrom(1, 1e-4, 1e-8), fc.constantFrom(1e-8, 1e-3), (list, scale, eps) => {
        const scaled = list.map((g) => Math.fround(g * scale));
        let state = { parameters: tf.tensor1d([1]) as tf.Tensor, m: tf.zeros([1]), v: tf.zeros([1]) };
        scaled.forEach((g, index) => {
          state = adamUpdate({ ...state, gradient: tf.tensor1d([g]), step: tf.scalar(index + 1), lr: 3e-3, eps });
        });
        const moved = reference(scaled, 3e-3, eps);
        // The parameter is 1 in single precision: each step may round by 6e-8.
        expect(Math.abs((state.parameters.dataSync()[0] ?? Number.NaN) - moved)).toBeLessThan(
          1e-7 * (scaled.length + 2),
        );
      }),
      { numRuns: 40 },
    );
  });

  it('corrects the bias of the very first step to seven digits', () => {
    const zeros = tf.zeros([1]);
    // m and v of a constant gradient g, corrected, are g and g²: the step is the learning rate itself.
    for (const t of [1, 2, 10, 1000, 100_000]) {
      const { parameters } = adamUpdate({
        parameters: zeros,
        gradient: tf.tensor1d([0.5]),
        m: tf.tensor1d([0.5 * (1 - 0.9 ** (t - 1))]),
        v: tf.tensor1d([0.25 * (1 - 0.999 ** (t - 1))]),
        step: tf.scalar(t),
        lr: tf.scalar(1e-3),
      });
      expect((parameters.dataSync()[0] ?? 0) / -1e-3).toBeCloseTo(1, 5.9);
    }
  });
});
