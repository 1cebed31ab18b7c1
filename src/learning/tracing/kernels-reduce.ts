import type { Kernel, KernelCall, KernelTable, Operand } from './kernel-call.ts';
import { cast, multiply } from './kernels-elementwise.ts';
import { sizeOf } from './value.ts';

interface Reduction {
  readonly axes: readonly number[];
  readonly keepDims: boolean;
}

const reductionOf = (call: KernelCall, x: Operand, axes = 'axis'): Reduction => ({
  axes: call.axes(axes, x.shape.length),
  keepDims: call.flag('keepDims'),
});

const reducedShape = (shape: readonly number[], { axes, keepDims }: Reduction): number[] =>
  keepDims
    ? shape.map((size, axis) => (axes.includes(axis) ? 1 : size))
    : shape.filter((_, axis) => !axes.includes(axis));

const countOf = (shape: readonly number[], { axes }: Reduction): number => sizeOf(axes.map((axis) => shape[axis] ?? 1));

export function sum(call: KernelCall, x: Operand, reduction: Reduction): Operand {
  const shape = reducedShape(x.shape, reduction);
  const count = countOf(x.shape, reduction);
  if (x.value.shape.length === 0) {
    const total = multiply(call, x, call.constant(count, x.value.dtype));
    return { value: total.value, shape };
  }
  if (count === 1) return call.reshape(x, shape);
  if (isProduct(x, reduction)) return sumAsProduct(call, x, reduction);
  const inputs = [call.full(x), call.graph.ints(reduction.axes)];
  const keepdims = { int: reduction.keepDims ? 1 : 0 };
  return { value: call.graph.emit('ReduceSum', inputs, { shape, dtype: x.value.dtype }, { keepdims }), shape };
}

function rowsOf({ shape }: Operand, axes: readonly number[]) {
  const last = shape.length - 1;
  return {
    isSecondLast: axes.length === 1 && axes[0] === last - 1,
    isAllButLast: axes.length === last && !axes.includes(last),
  };
}

/** Whether a sum is better written as a product. */
function isProduct(x: Operand, { axes }: Reduction): boolean {
  const { isSecondLast, isAllButLast } = rowsOf(x, axes);
  return x.value.dtype === 'float32' && x.shape.length >= 2 && (isSecondLast || isAllButLast);
}

/**
 * Sums along the rows of a matrix, or of each of a stack of matrices, are a product with a row of ones: the runtime's
 * products are several times faster than its sums over an axis that is not the last.
 */
function sumAsProduct(call: KernelCall, x: Operand, { axes, keepDims }: Reduction): Operand {
  const { isSecondLast, isAllButLast } = rowsOf(x, axes);
  const [last = 1] = x.shape.slice(-1);
  const rows = isAllButLast && !isSecondLast ? call.reshape(x, [sizeOf(x.shape) / last, last]) : x;
  const count = rows.shape[rows.shape.length - 2] ?? 1;
  const ones = call.full({ ...call.constant(1), shape: keepDims && isSecondLast ? [1, count] : [count] });
  const shape = keepDims && isSecondLast ? rows.shape.with(-2, 1) : rows.shape.toSpliced(-2, 1);
  const value = call.graph.emit('MatMul', [ones, call.full(rows)], { shape, dtype: 'float32' });
  return call.reshape({ value, shape }, reducedShape(x.shape, { axes, keepDims }));
}

const reduce =
  (type: string, axes = 'axis'): Kernel =>
  (call) => {
    const x = call.input('x');
    const reduction = reductionOf(call, x, axes);
    const shape = reducedShape(x.shape, reduction);
    if (x.value.shape.length === 0) return { value: x.value, shape };
    if (countOf(x.shape, reduction) === 1) return call.reshape(x, shape);
    const attributes = { axes: { ints: reduction.axes }, keepdims: { int: reduction.keepDims ? 1 : 0 } };
    return { value: call.graph.emit(type, [call.full(x)], { shape, dtype: x.value.dtype }, attributes), shape };
  };

/** All and Any are the least and the greatest of zeros and ones. */
const reduceTruth =
  (type: string): Kernel =>
  (call) => {
    const x = cast(call, call.input('x'), 'int32');
    const reduction = reductionOf(call, x);
    const shape = reducedShape(x.shape, reduction);
    const attributes = { axes: { ints: reduction.axes }, keepdims: { int: reduction.keepDims ? 1 : 0 } };
    const value = call.graph.emit(type, [call.full(x)], { shape, dtype: 'int32' }, attributes);
    return cast(call, { value, shape }, 'bool');
  };

const argument =
  (type: string): Kernel =>
  (call) => {
    const x = call.input('x');
    const [axis = 0] = call.axes('axis', x.shape.length);
    const shape = x.shape.toSpliced(axis, 1);
    const attributes = { axis: { int: axis }, keepdims: { int: 0 } };
    const value = call.graph.emit(type, [call.full(x)], { shape, dtype: 'int64' }, attributes);
    return cast(call, { value, shape }, 'int32');
  };

const mean: Kernel = (call) => {
  const x = cast(call, call.input('x'), 'float32');
  const reduction = reductionOf(call, x);
  const count = countOf(x.shape, reduction);
  if (x.value.shape.length === 0 || count === 1 || isProduct(x, reduction)) {
    return multiply(call, sum(call, x, reduction), call.constant(1 / count));
  }
  const shape = reducedShape(x.shape, reduction);
  const attributes = { axes: { ints: reduction.axes }, keepdims: { int: reduction.keepDims ? 1 : 0 } };
  return { value: call.graph.emit('ReduceMean', [call.full(x)], { shape, dtype: 'float32' }, attributes), shape };
};

const softmax: Kernel = (call) => {
  const x = call.input('logits');
  const value = call.graph.emit('Softmax', [call.full(x)], { shape: x.shape, dtype: 'float32' }, { axis: { int: -1 } });
  return { value, shape: x.shape };
};

const cumulativeSum: Kernel = (call) => {
  const x = call.input('x');
  const [axis = 0] = call.axes('axis', x.shape.length);
  const attributes = {
    exclusive: { int: Number(call.flag('exclusive')) },
    reverse: { int: Number(call.flag('reverse')) },
  };
  const inputs = [call.full(x), call.graph.scalar(axis, 'int64')];
  return {
    value: call.graph.emit('CumSum', inputs, { shape: x.shape, dtype: x.value.dtype }, attributes),
    shape: x.shape,
  };
};

export const reduceKernels: KernelTable = {
  Sum: (call) => {
    const x = call.input('x');
    return sum(call, x.value.dtype === 'bool' ? cast(call, x, 'int32') : x, reductionOf(call, x));
  },
  Mean: mean,
  Max: reduce('ReduceMax', 'reductionIndices'),
  Min: reduce('ReduceMin'),
  Prod: (call) => {
    const x = call.input('x');
    const whole = { value: call.full(x), shape: x.shape };
    const reduction = reductionOf(call, x);
    const shape = reducedShape(x.shape, reduction);
    if (countOf(x.shape, reduction) === 1) return call.reshape(whole, shape);
    const attributes = { axes: { ints: reduction.axes }, keepdims: { int: reduction.keepDims ? 1 : 0 } };
    return { value: call.graph.emit('ReduceProd', [whole.value], { shape, dtype: x.value.dtype }, attributes), shape };
  },
  All: reduceTruth('ReduceMin'),
  Any: reduceTruth('ReduceMax'),
  ArgMax: argument('ArgMax'),
  ArgMin: argument('ArgMin'),
  Softmax: softmax,
  Cumsum: cumulativeSum,
};
