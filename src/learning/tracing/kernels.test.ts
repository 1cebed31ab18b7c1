import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { EdgeError } from '../../errors.ts';
import { tf } from '../tf.ts';
import { coveredKernels } from './backend.ts';
import { expectClose, runBoth, tensorOf } from './tracing.testing.ts';

/** What the results of a kernel are checked on: its inputs a, b, c are of the shapes drawn for its kind. */
type Case = (a: tf.Tensor, b: tf.Tensor, c: tf.Tensor) => tf.Tensor | tf.Tensor[];

/** x in (0.05, 2.05), of any input */
const positive = (x: tf.Tensor) => tf.add(tf.abs(x), 0.3);
/** x in [−0.9, 0.9] */
const unit = (x: tf.Tensor) => tf.clipByValue(x, -0.9, 0.9);
const truth = (x: tf.Tensor) => tf.greater(x, 0);

/** Of one tensor; the third number of `a` is 0, where gradients have their corners. */
const unary: Readonly<Record<string, Case>> = {
  Abs: (a) => tf.abs(a),
  Acos: (a) => tf.acos(unit(a)),
  Acosh: (a) => tf.acosh(tf.add(positive(a), 1)),
  Asin: (a) => tf.asin(unit(a)),
  Asinh: (a) => tf.asinh(a),
  Atan: (a) => tf.atan(a),
  Atanh: (a) => tf.atanh(unit(a)),
  Cast: (a) => [tf.cast(a, 'int32'), tf.cast(a, 'bool'), tf.cast(truth(a), 'float32')],
  Ceil: (a) => tf.ceil(a),
  ClipByValue: (a) => tf.clipByValue(a, -0.5, 1),
  Cos: (a) => tf.cos(a),
  Cosh: (a) => tf.cosh(a),
  Elu: (a) => tf.elu(a),
  EluGrad: (a) => tf.grad((x: tf.Tensor) => tf.elu(x))(a),
  Erf: (a) => tf.erf(a),
  Exp: (a) => tf.exp(a),
  Expm1: (a) => [tf.expm1(a), tf.mul(tf.expm1(tf.mul(a, 1e-6)), 1e6)],
  Floor: (a) => tf.floor(a),
  Identity: (a) => tf.clone(a),
  IsFinite: (a) => tf.isFinite(tf.div(a, a)),
  IsInf: (a) => tf.isInf(tf.div(1, a)),
  IsNan: (a) => tf.isNaN(tf.div(a, a)),
  LeakyRelu: (a) => tf.leakyRelu(a, 0.3),
  Log: (a) => tf.log(positive(a)),
  Log1p: (a) => [tf.log1p(positive(a)), tf.mul(tf.log1p(tf.mul(a, 1e-6)), 1e6)],
  LogicalNot: (a) => tf.logicalNot(truth(a)),
  Neg: (a) => tf.neg(a),
  OnesLike: (a) => tf.onesLike(a),
  Reciprocal: (a) => tf.reciprocal(positive(a)),
  Relu: (a) => tf.relu(a),
  Relu6: (a) => tf.relu6(tf.mul(a, 5)),
  Round: (a) => tf.round(tf.mul(a, 4)),
  Rsqrt: (a) => tf.rsqrt(positive(a)),
  Selu: (a) => tf.selu(a),
  Sigmoid: (a) => tf.sigmoid(a),
  Sign: (a) => tf.sign(a),
  Sin: (a) => tf.sin(a),
  Sinh: (a) => tf.sinh(a),
  Softplus: (a) => tf.softplus(tf.mul(a, 20)),
  Sqrt: (a) => tf.sqrt(positive(a)),
  Square: (a) => tf.square(a),
  Step: (a) => [tf.step(a), tf.step(a, 0.25), tf.mul(tf.relu(a), tf.step(a))],
  Tan: (a) => tf.tan(unit(a)),
  Tanh: (a) => tf.tanh(a),
  ZerosLike: (a) => tf.zerosLike(a),
};

/** Of tensors whose shapes broadcasting brings together. */
const binary: Readonly<Record<string, Case>> = {
  Add: (a, b) => [tf.add(a, b), tf.add(a, tf.zerosLike(b))],
  Equal: (a, b) => tf.equal(tf.round(a), tf.round(b)),
  FloorDiv: (a, b) => tf.floorDiv(tf.cast(tf.mul(a, 9), 'int32'), tf.add(tf.cast(tf.mul(positive(b), 3), 'int32'), 1)),
  Greater: (a, b) => tf.greater(a, b),
  GreaterEqual: (a, b) => tf.greaterEqual(tf.round(a), tf.round(b)),
  Less: (a, b) => tf.less(a, b),
  LessEqual: (a, b) => tf.lessEqual(tf.round(a), tf.round(b)),
  LogicalAnd: (a, b) => tf.logicalAnd(truth(a), truth(b)),
  LogicalOr: (a, b) => tf.logicalOr(truth(a), truth(b)),
  Maximum: (a, b) => tf.maximum(a, b),
  Minimum: (a, b) => tf.minimum(a, b),
  Mod: (a, b) => tf.mod(a, positive(b)),
  Multiply: (a, b) => [tf.mul(a, b), tf.mul(tf.cast(truth(a), 'float32'), b), tf.mul(a, tf.onesLike(b))],
  NotEqual: (a, b) => tf.notEqual(tf.round(a), tf.round(b)),
  Pow: (a, b) => tf.pow(positive(a), b),
  RealDiv: (a, b) => [tf.div(a, positive(b)), tf.div(a, tf.onesLike(b))],
  Select: (a, b) => tf.where(truth(tf.sub(a, b)), a, b),
  SquaredDifference: (a, b) => tf.squaredDifference(a, b),
  Sub: (a, b) => [tf.sub(a, b), tf.sub(a, tf.zerosLike(b)), tf.sub(1, b)],
};

/** Of a tensor [2, 3, 4], another, and a matrix [3, 4]. */
const shaped: Readonly<Record<string, Case>> = {
  AddN: (a, b) => tf.addN([a, b, a]),
  All: (a) => [tf.all(truth(a), 1), tf.all(truth(a))],
  Any: (a) => [tf.any(truth(a), [0, 2], true), tf.any(truth(a))],
  ArgMax: (a) => tf.argMax(a, 1),
  ArgMin: (a) => tf.argMin(a, -1),
  Concat: (a, b) => [tf.concat([a, b], 1), tf.concat([a, tf.zeros([2, 3, 1]), b], -1)],
  Cumsum: (a) => [tf.cumsum(a, 2), tf.cumsum(a, 2, true, true)],
  ExpandDims: (a) => [tf.expandDims(a, 1), tf.expandDims(a, -1)],
  Fill: (a) => [tf.fill([3, 2], 0.75), tf.add(a, tf.fill([4], 2))],
  GatherV2: (_a, _b, c) => tf.gather(c, tf.tensor1d([2, 0, 2], 'int32')),
  Max: (a) => [tf.max(a), tf.max(a, [0, 2]), tf.max(a, -1, true), tf.max(tf.zerosLike(a), 0)],
  Mean: (a) => [tf.mean(a), tf.mean(a, 1), tf.mean(a, [0, 1], true), tf.mean(tf.onesLike(a), 0)],
  Min: (a) => [tf.min(a), tf.min(a, 1)],
  LinSpace: (a) => tf.mul(a, tf.linspace(-1, 1, 4)),
  Range: (a) => [tf.add(a, tf.range(1, 5)), tf.range(5, 0, -2, 'int32')],
  OneHot: (a) => tf.oneHot(tf.cast(positive(tf.reshape(a, [24])), 'int32'), 3, 0.5, -0.5, 'float32'),
  Pack: (a, b) => [tf.stack([a, b]), tf.stack([a, b, a], -1)],
  PadV2: (a) =>
    tf.pad(
      a,
      [
        [0, 1],
        [2, 0],
        [1, 1],
      ],
      -3,
    ),
  Prelu: (a) => tf.prelu(a, tf.tensor1d([0.5, -0.25, 0.125, 0.1])),
  Prod: (a) => [tf.prod(a, 1), tf.prod(a)],
  Reshape: (a) => [tf.reshape(a, [6, -1]), tf.reshape(tf.reshape(a, [24]), [4, 6]), tf.reshape(tf.onesLike(a), [24])],
  Reverse: (a) => [tf.reverse(a, [0, 2]), tf.reverse(a)],
  Slice: (a) => [tf.slice(a, [0, 1], [2, 2]), tf.slice(a, [1, 0, 2], [-1, 3, 1]), tf.slice(tf.onesLike(a), [1], [1])],
  Softmax: (a) => tf.softmax(a),
  SplitV: (a) => [...tf.split(a, [1, 3], 2), ...tf.split(a, 3, 1), ...tf.split(a, [1, -1], 1)],
  Sum: (a) =>
    [undefined, 0, 1, 2, [0, 1], [1, 2], [0, 2]]
      .flatMap((axes) => [tf.sum(a, axes), tf.sum(a, axes, true)])
      .concat([
        tf.sum(tf.onesLike(a), 1),
        tf.sum(tf.mul(tf.onesLike(a), tf.slice(a, [0, 0, 0], [1, 1, 4])), [0, 1]),
        tf.sum(truth(a), 2),
      ]),
  Tile: (a, b) => [
    tf.mul(tf.broadcastTo(tf.max(b, 1, true), [2, 3, 4]), a),
    tf.tile(tf.max(b, 1, true), [1, 3, 2]),
    tf.tile(a, [2, 1, 3]),
    tf.tile(tf.onesLike(a), [2, 2, 2]),
  ],
  Transpose: (a) => [
    tf.transpose(a, [2, 0, 1]),
    tf.transpose(a),
    tf.transpose(tf.slice(a, [0, 0, 0], [2, 1, 4]), [1, 0, 2]),
  ],
  Unpack: (a) => [...tf.unstack(a), ...tf.unstack(a, 2)],
  UnsortedSegmentSum: (a) => tf.unsortedSegmentSum(tf.reshape(a, [4, 6]), tf.tensor1d([2, 0, 2, 1], 'int32'), 3),
  FusedBatchNorm: (a, b, c) =>
    tf.batchNorm(a, tf.max(c, 0), positive(tf.max(b, [0, 1])), tf.max(a, [0, 1]), tf.max(c, 0), 0.01),
};

/** Of a matrix [2, 3] or stacks of them. */
const products: Readonly<Record<string, Case>> = {
  BatchMatMul: (a, b, c) => [
    tf.matMul(a, b, false, true),
    tf.matMul(a, b, true, false),
    tf.matMul(a, c),
    tf.matMul(c, a, true, true),
    tf.matMul(tf.onesLike(a), b, false, true),
  ],
  _FusedMatMul: (a, b) =>
    (['linear', 'relu', 'elu', 'relu6', 'sigmoid', 'prelu', 'leakyrelu'] as const).map((activation) =>
      tf.fused.matMul({
        a,
        b,
        transposeB: true,
        bias: tf.tensor1d([0.5, -1]),
        activation,
        preluActivationWeights: tf.tensor1d([0.5, -1]),
        leakyreluAlpha: 0.1,
      }),
    ),
};

const kinds = { unary, binary, shaped, products };

/** The results of all cases of a kind, each with the gradients that tfjs knows. */
function everything(cases: Readonly<Record<string, Case>>, inputs: readonly tf.Tensor[]): Record<string, tf.Tensor> {
  const results: Record<string, tf.Tensor> = {};
  for (const [name, run] of Object.entries(cases)) {
    const list = [apply(run, inputs)].flat();
    list.forEach((result, index) => {
      results[`${name}/${index}`] = result;
      if (result.dtype !== 'float32') return;
      // Another slope for each number, so that mixed up positions show; and every input is asked for.
      const one = (...given: tf.Tensor[]) => {
        const value = [apply(run, given)].flat()[index] ?? tf.scalar(Number.NaN);
        const weighted = tf.sum(tf.mul(value, tf.reshape(tf.linspace(1, 2, value.size), value.shape)));
        return given.reduce((total: tf.Tensor, x) => tf.add(total, tf.mul(tf.sum(x), 0)), weighted);
      };
      const gradients = differentiable(() => tf.grads(one)([...inputs]));
      gradients.forEach((gradient, input) => {
        results[`${name}/${index}/gradient/${input}`] = gradient;
      });
    });
  }
  return results;
}

/** A case of one tensor has that alone. */
function apply(run: Case, [a, b = a, c = b]: readonly tf.Tensor[]): tf.Tensor | tf.Tensor[] {
  if (!a || !b || !c) throw new Error('a case needs a tensor');
  return run(a, b, c);
}

/** Empty where tfjs has no gradient, which is then so in both runs. */
function differentiable(gradients: () => tf.Tensor[]): tf.Tensor[] {
  try {
    return gradients();
  } catch (error) {
    if (!(error instanceof EdgeError)) return [];
    throw error;
  }
}

const check = async (cases: Readonly<Record<string, Case>>, shapes: readonly (readonly number[])[], seed: number) => {
  const inputs = Object.fromEntries(shapes.map((shape, at) => [`input/${at}`, tensorOf(seed + at, shape)]));
  const step = (given: Record<string, tf.Tensor>) => everything(cases, Object.values(given));
  const { traced, eager } = await runBoth(step, inputs);
  expectClose(traced, eager, 1e-5);
};

const size = fc.integer({ min: 1, max: 5 });
const seed = fc.integer({ min: 1, max: 1e6 });
/** Two shapes that fit: axes of either are sometimes 1 or missing. */
const fitting = fc
  .array(fc.tuple(size, fc.constantFrom('both', 'first', 'second')), { maxLength: 4 })
  .chain((axes) => fc.tuple(fc.constant(axes), fc.nat(axes.length), fc.boolean()))
  .map(([axes, missing, swap]) => {
    const first = axes.map(([length, which]) => (which === 'second' ? 1 : length));
    const second = axes.map(([length, which]) => (which === 'first' ? 1 : length)).slice(missing);
    return swap ? [second, first] : [first, second];
  });

describe('what a traced kernel computes is what the eager one computes, gradients included', () => {
  it.each(Object.keys(kinds))('every case of the kind %s calls its kernel', (kind) => {
    for (const [name, run] of Object.entries(kinds[kind as keyof typeof kinds])) {
      const shape = kind === 'products' ? [2, 3] : [2, 3, 4];
      const inputs = [
        tensorOf(1, shape),
        tensorOf(2, shape),
        tensorOf(3, kind === 'products' ? [3, 3] : [3, 4]),
      ] as const;
      const calls = vi.spyOn(tf.engine(), 'runKernel');
      run(...inputs);
      expect(calls.mock.calls.map(([kernel]) => kernel)).toContain(name);
      calls.mockRestore();
    }
  });

  it('all kernels of the tracer are among the cases', () => {
    const cases = Object.values(kinds).flatMap((kind) => Object.keys(kind));
    expect([...coveredKernels].sort()).toEqual(cases.sort());
  });

  it('of one tensor', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(size, { maxLength: 4 }), seed, (shape, start) => check(unary, [shape], start)),
      { numRuns: 3 },
    );
  });

  it('of two tensors in shapes that broadcasting brings together', async () => {
    await fc.assert(
      fc.asyncProperty(fitting, seed, ([a = [], b = []], start) => check(binary, [a, b], start)),
      { numRuns: 10 },
    );
  });

  it('of shapes and reductions', () =>
    check(
      shaped,
      [
        [2, 3, 4],
        [2, 3, 4],
        [3, 4],
      ],
      5,
    ));

  it('of matrices, and of stacks of them', async () => {
    const stacks = fc.constantFrom<number[][]>(
      [[], []],
      [[2], [2]],
      [[3], [1]],
      [[1], [2]],
      [
        [2, 3],
        [2, 3],
      ],
    );
    await fc.assert(
      fc.asyncProperty(stacks, size, size, seed, ([one = [], other = []], rows, columns, start) =>
        check(
          { BatchMatMul: matMul },
          [
            [...one, rows, columns],
            [...other, rows, columns],
            [...one, columns, columns],
          ],
          start,
        ),
      ),
      { numRuns: 12 },
    );
    await check(
      products,
      [
        [2, 3],
        [2, 3],
        [3, 3],
      ],
      9,
    );
  });
});

const matMul: Case = (a, b, c) => products.BatchMatMul?.(a, b, c) ?? [];
