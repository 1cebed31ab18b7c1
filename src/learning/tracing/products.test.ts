import { describe, expect, it } from 'vitest';
import { inspectModel } from '../../policy/onnx-inspect.ts';
import { tf } from '../tf.ts';
import { GraphRunner } from './graph-runner.ts';
import { productFlops, productsAlone } from './products.ts';
import { trace } from './trace.ts';
import { numbersOf } from './tracing.testing.ts';

const shapes = { x: [5, 3], stack: [2, 4, 3], other: [2, 4, 6] };
const inputs = Object.fromEntries(
  Object.entries(shapes).map(([name, shape]) => [name, { shape, dtype: 'float32' as const }]),
);

describe('the matrix products of a step, alone', () => {
  it('are those of its layers and their gradients, without sums, and without what nobody needs', async () => {
    const w = tf.variable(tf.tensor(numbersOf(1, 3 * 2), [3, 2]), true, 'w');
    const traced = trace(
      ({ x = w, stack = w, other = w }) => {
        const { value, grads } = tf.variableGrads(() => tf.sum(tf.square(tf.matMul(x, w))) as tf.Scalar, [w]);
        return { value, gradient: grads.w ?? w, sums: tf.sum(x, 0), batched: tf.matMul(stack, other, true, false) };
      },
      inputs,
      [w],
    );
    const forward = { a: [5, 3], b: [3, 2], transposeA: false, transposeB: false };
    const backward = { a: [5, 3], b: [5, 2], transposeA: true, transposeB: false };
    const batched = { a: [2, 4, 3], b: [2, 4, 6], transposeA: true, transposeB: false };
    expect(traced.products).toEqual([forward, backward, batched]);
    expect(productFlops(traced.products)).toBe(2 * 5 * 3 * 2 + 2 * 5 * 3 * 2 + 2 * 2 * 4 * 3 * 6);

    const alone = productsAlone(traced.products);
    const factors = alone.state.map(({ shape }, at) =>
      numbersOf(
        at + 1,
        shape.reduce((all, size) => all * size, 1),
      ),
    );
    const state = Object.fromEntries(alone.state.map(({ name }, at) => [name, factors[at] ?? new Float32Array()]));
    const runner = await GraphRunner.create(alone, state);
    const { kept } = await runner.run({});
    const expected = traced.products.map(({ a, b, transposeA, transposeB }, at) => {
      const [one, two] = [factors[2 * at] ?? [], factors[2 * at + 1] ?? []];
      return (
        tf.matMul(tf.tensor(one, [...a]), tf.tensor(two, [...b]), transposeA, transposeB).dataSync()[0] ?? Number.NaN
      );
    });
    expected.forEach((value, at) => {
      expect(kept?.[at]).toBeCloseTo(value, 5);
    });
    const types = inspectModel(alone.model).operators.map(({ type }) => type);
    expect(types.sort()).toEqual(['Concat', 'Gemm', 'MatMul', 'Reshape', 'Slice', 'Transpose']);
    await runner.dispose();
    w.dispose();
  });
});
