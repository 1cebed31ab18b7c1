import { arrayOf } from './graph.ts';
import type { Kernel, KernelCall, KernelTable, Operand } from './kernel-call.ts';
import { cast } from './kernels-elementwise.ts';
import { type ElementType, sizeOf, type Value } from './value.ts';

/** One number everywhere stays one number, whatever is done to its shape. */
const isUniform = ({ value }: Operand): boolean => value.shape.length === 0;

const whole = (value: Value): Operand => ({ value, shape: value.shape });

const identity: Kernel = (call) => call.input('x');

const expandDims: Kernel = (call) => {
  const x = call.input('input');
  const dim = call.number('dim');
  const axis = dim < 0 ? x.shape.length + 1 + dim : dim;
  return call.reshape(x, x.shape.toSpliced(axis, 0, 1));
};

const transpose: Kernel = (call) => {
  const x = call.input('x');
  const perm = call.numbers('perm');
  const shape = perm.map((axis) => x.shape[axis] ?? 1);
  if (isUniform(x) || perm.every((axis, at) => axis === at)) return { value: x.value, shape };
  // Axes of size 1 can go anywhere without a number being moved.
  const moved = perm.filter((axis) => x.shape[axis] !== 1);
  if (moved.every((axis, at) => at === 0 || axis > (moved[at - 1] ?? 0))) return call.reshape(x, shape);
  const { dtype } = x.value;
  return whole(call.graph.emit('Transpose', [call.full(x)], { shape, dtype }, { perm: { ints: perm } }));
};

const slice: Kernel = (call) => {
  const x = call.input('x');
  const [begin, size] = [call.numbers('begin'), call.numbers('size')];
  const lengthOf = (axis: number) => ((size[axis] ?? -1) < 0 ? undefined : size[axis]);
  const shape = x.shape.map((length, axis) => lengthOf(axis) ?? length - (begin[axis] ?? 0));
  if (shape.some((size, axis) => size + (begin[axis] ?? 0) > (x.shape[axis] ?? 0)))
    call.refuseShapes(x, { ...x, shape });
  if (isUniform(x)) return { value: x.value, shape };
  const cut = shape.map((_, axis) => axis).filter((axis) => shape[axis] !== x.shape[axis]);
  if (cut.length === 0) return x;
  const start = cut.map((axis) => begin[axis] ?? 0);
  const end = cut.map((axis, at) => (start[at] ?? 0) + (shape[axis] ?? 0));
  const lists = [start, end, cut].map((list) => call.graph.ints(list));
  return whole(call.graph.emit('Slice', [call.full(x), ...lists], { shape, dtype: x.value.dtype }));
};

function splitAt(call: KernelCall, x: Operand, axis: number, sizes: readonly number[]): Operand[] {
  const results = sizes.map((size) => ({ shape: x.shape.with(axis, size), dtype: x.value.dtype }));
  if (sizes.reduce((sum, size) => sum + size, 0) !== x.shape[axis])
    call.refuseShapes(x, ...results.map((result) => ({ ...x, ...result })));
  if (isUniform(x)) return results.map(({ shape }) => ({ value: x.value, shape }));
  if (sizes.length === 1) return [x];
  const values = call.graph.emitMany('Split', [call.full(x), call.graph.ints(sizes)], results, { axis: { int: axis } });
  return values.map(whole);
}

const split: Kernel = (call) => {
  const x = call.input('x');
  const [axis = 0] = call.axes('axis', x.shape.length);
  const length = x.shape[axis] ?? 0;
  const given = call.attribute('numOrSizeSplits');
  if (typeof given === 'number') return splitAt(call, x, axis, new Array<number>(given).fill(length / given));
  const sizes = call.numbers('numOrSizeSplits');
  const rest = length - sizes.reduce((sum, size) => sum + Math.max(0, size), 0);
  return splitAt(
    call,
    x,
    axis,
    sizes.map((size) => (size < 0 ? rest : size)),
  );
};

const unpack: Kernel = (call) => {
  const x = call.input('value');
  const [axis = 0] = call.axes('axis', x.shape.length);
  const sizes = new Array<number>(x.shape[axis] ?? 0).fill(1);
  return splitAt(call, x, axis, sizes).map((part) => call.reshape(part, part.shape.toSpliced(axis, 1)));
};

function concatAt(call: KernelCall, parts: readonly Operand[], axis: number): Operand {
  const outside = ({ shape }: Operand) => shape.toSpliced(axis, 1).join();
  if (parts.some((part) => parts[0] && outside(part) !== outside(parts[0]))) call.refuseShapes(...parts);
  const some = parts.filter(({ shape }) => sizeOf(shape) > 0);
  const [first = call.unsupported('of nothing'), ...others] = some.length > 0 ? some : parts;
  if (others.length === 0) return first;
  const length = [first, ...others].reduce((sum, { shape }) => sum + (shape[axis] ?? 0), 0);
  const shape = first.shape.with(axis, length);
  const { dtype } = first.value;
  if ([first, ...others].every(({ value }) => value === first.value && isUniform(first)))
    return { value: first.value, shape };
  const values = [first, ...others].map((part) => call.full(part));
  return whole(call.graph.emit('Concat', values, { shape, dtype }, { axis: { int: axis } }));
}

const concat: Kernel = (call) => {
  const parts = call.inputs();
  const [axis = 0] = call.axes('axis', parts[0]?.shape.length ?? 1);
  return concatAt(call, parts, axis);
};

const pack: Kernel = (call) => {
  const parts = call.inputs();
  const [axis = 0] = call.axes('axis', (parts[0]?.shape.length ?? 0) + 1);
  const raised = parts.map((part) => call.reshape(part, part.shape.toSpliced(axis, 0, 1)));
  return concatAt(call, raised, axis);
};

const tile: Kernel = (call) => {
  const x = call.input('x');
  const reps = call.numbers('reps');
  const shape = x.shape.map((size, axis) => size * (reps[axis] ?? 1));
  // Along axes of size 1 it is broadcasting, which elementwise operations do by themselves.
  if (isUniform(x) || reps.every((count, axis) => count === 1 || x.shape[axis] === 1)) return { value: x.value, shape };
  return whole(call.graph.emit('Tile', [call.full(x), call.graph.ints(reps)], { shape, dtype: x.value.dtype }));
};

const gather: Kernel = (call) => {
  const [x, indices] = [call.input('x'), call.input('indices')];
  if (call.attribute('batchDims')) return call.unsupported('with batch dimensions');
  const [axis = 0] = call.axes('axis', x.shape.length);
  const shape = x.shape.toSpliced(axis, 1, ...indices.shape);
  const inputs = [call.full(x), call.full(indices)];
  return whole(call.graph.emit('Gather', inputs, { shape, dtype: x.value.dtype }, { axis: { int: axis } }));
};

/** The gradient of gather: rows added up where their index says. */
const segmentSum: Kernel = (call) => {
  const [x, ids] = [call.input('x'), call.input('segmentIds')];
  const shape = x.shape.toSpliced(0, 1, call.number('numSegments'));
  const rows = cast(call, call.reshape(ids, [...ids.shape, 1]), 'int64');
  const zeros = call.full({ ...call.constant(0, x.value.dtype), shape });
  // Scatter's reduction has only the name of its mode as an attribute, a text; one-hot rows as a product say the same.
  const count = shape[0] ?? 0;
  const numbers = call.graph.constant(
    arrayOf(
      Array.from({ length: count }, (_, at) => at),
      'int64',
    ),
    [count],
    'int64',
  );
  const hits = call.elementwise('Equal', [rows, whole(numbers)], { dtype: 'bool' });
  if (sizeOf(x.shape) === 0) return whole(zeros);
  const mask = call.full(cast(call, hits, 'float32'));
  const [length = 1] = x.shape;
  const flat = call.reshape(x, [length, sizeOf(x.shape) / length]);
  const turned = { shape: [count, length], dtype: 'float32' } as const;
  const select = call.graph.emit('Transpose', [mask], turned, { perm: { ints: [1, 0] } });
  const sums = { shape: [count, sizeOf(x.shape) / length], dtype: x.value.dtype };
  return call.reshape(whole(call.graph.emit('MatMul', [select, call.full(flat)], sums)), shape);
};

const oneHot: Kernel = (call) => {
  const indices = call.input('indices');
  const depth = call.number('depth');
  const numbers = call.graph.constant(
    arrayOf(
      Array.from({ length: depth }, (_, at) => at),
      'int32',
    ),
    [depth],
    'int32',
  );
  const hits = call.elementwise('Equal', [call.reshape(indices, [...indices.shape, 1]), whole(numbers)], {
    dtype: 'bool',
  });
  const text = call.text('dtype', 'int32');
  const dtype: ElementType = text === 'float32' ? 'float32' : 'int32';
  const [on, off] = [call.number('onValue'), call.number('offValue')].map((value) => call.constant(value, dtype));
  if (!on || !off) return call.unsupported('without values');
  return call.elementwise('Where', [hits, on, off], { dtype });
};

const pad: Kernel = (call) => {
  const x = call.input('x');
  const paddings = call.attribute('paddings');
  if (!Array.isArray(paddings)) return call.unsupported('without paddings');
  const before = paddings.map((pair: readonly number[]) => pair[0] ?? 0);
  const after = paddings.map((pair: readonly number[]) => pair[1] ?? 0);
  const shape = x.shape.map((size, axis) => size + (before[axis] ?? 0) + (after[axis] ?? 0));
  const inputs = [call.full(x), call.graph.ints([...before, ...after])];
  inputs.push(call.graph.scalar(call.number('constantValue'), x.value.dtype));
  return whole(call.graph.emit('Pad', inputs, { shape, dtype: x.value.dtype }));
};

const reverse: Kernel = (call) => {
  const x = call.input('x');
  const dims = call.axes('dims', x.shape.length);
  if (isUniform(x) || dims.length === 0) return x;
  const lists = [dims.map(() => -1), dims.map(() => -(2 ** 31)), dims, dims.map(() => -1)];
  const inputs = [call.full(x), ...lists.map((list) => call.graph.ints(list))];
  return whole(call.graph.emit('Slice', inputs, { shape: x.shape, dtype: x.value.dtype }));
};

const fillKernel: Kernel = (call) => {
  const text = call.text('dtype', 'float32');
  const dtype: ElementType = text === 'int32' || text === 'bool' ? text : 'float32';
  return { ...call.constant(call.number('value'), dtype), shape: call.numbers('shape') };
};

/** Numbers that are known, as tfjs makes them. */
const list = (call: KernelCall, numbers: readonly number[], dtype: ElementType): Operand =>
  whole(call.graph.constant(arrayOf(numbers, dtype), [numbers.length], dtype));

const range: Kernel = (call) => {
  const [start, stop, step] = [call.number('start'), call.number('stop'), call.number('step')];
  const length = Math.max(0, Math.ceil((stop - start) / step));
  const numbers = Array.from({ length }, (_, at) => start + at * step);
  return list(call, numbers, call.text('dtype', 'float32') === 'int32' ? 'int32' : 'float32');
};

const linSpace: Kernel = (call) => {
  const [start, stop, count] = [call.number('start'), call.number('stop'), call.number('num')];
  const numbers = Array.from({ length: count }, (_, at) => start + (at * (stop - start)) / Math.max(1, count - 1));
  return list(call, numbers, 'float32');
};

const like =
  (number: number): Kernel =>
  (call) => {
    const x = call.input('x');
    return { ...call.constant(number, x.value.dtype), shape: x.shape };
  };

export const shapeKernels: KernelTable = {
  Identity: identity,
  Reshape: (call) => {
    const x = call.input('x');
    const wanted = call.numbers('shape');
    const known = wanted.reduce((product, size) => product * (size < 0 ? 1 : size), 1);
    return call.reshape(
      x,
      wanted.map((size) => (size < 0 ? sizeOf(x.shape) / known : size)),
    );
  },
  ExpandDims: expandDims,
  Transpose: transpose,
  Slice: slice,
  SplitV: split,
  Unpack: unpack,
  Concat: concat,
  Pack: pack,
  Tile: tile,
  GatherV2: gather,
  UnsortedSegmentSum: segmentSum,
  OneHot: oneHot,
  PadV2: pad,
  Reverse: reverse,
  Fill: fillKernel,
  Range: range,
  LinSpace: linSpace,
  OnesLike: like(1),
  ZerosLike: like(0),
};
