import { type Kernel, KernelCall, type KernelTable, type Operand } from './kernel-call.ts';
import { clip, elementwiseKernels } from './kernels-elementwise.ts';
import { broadcastShape, type Value } from './value.ts';

interface Turned {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

/** Two matrices, or two stacks of them; ONNX's Gemm turns its factors while it multiplies, MatMul leaves that to us. */
export function product(call: KernelCall, a: Operand, b: Operand, { transposeA, transposeB }: Turned): Operand {
  // tfjs leaves this check to the kernels.
  const inner = [a.shape.at(transposeA ? -2 : -1), b.shape.at(transposeB ? -1 : -2)];
  const stacks = broadcastShape([a.shape.slice(0, -2), b.shape.slice(0, -2)]);
  if (inner[0] !== inner[1] || !stacks) return call.refuseShapes(a, b);
  const rank = Math.max(a.shape.length, b.shape.length);
  const rows = a.shape[a.shape.length - (transposeA ? 1 : 2)] ?? 1;
  const columns = b.shape[b.shape.length - (transposeB ? 2 : 1)] ?? 1;
  const shape = [...stacks, rows, columns];
  const result = { shape, dtype: a.value.dtype };
  if (rank === 2 && (transposeA || transposeB)) {
    const attributes = { transA: { int: Number(transposeA) }, transB: { int: Number(transposeB) } };
    return { value: call.graph.emit('Gemm', [call.full(a), call.full(b)], result, attributes), shape };
  }
  const inputs = [transposeA ? turn(call, a) : call.full(a), transposeB ? turn(call, b) : call.full(b)];
  return { value: call.graph.emit('MatMul', inputs, result), shape };
}

/** The runtime merges this into the product behind it. */
function turn(call: KernelCall, x: Operand): Value {
  const axes = x.shape.map((_, axis) => axis);
  const [row = 0, column = 1] = axes.slice(-2);
  const perm = [...axes.slice(0, -2), column, row];
  const shape = perm.map((axis) => x.shape[axis] ?? 1);
  return call.graph.emit('Transpose', [call.full(x)], { shape, dtype: x.value.dtype }, { perm: { ints: perm } });
}

const turnedBy = (call: KernelCall): Turned => ({
  transposeA: call.flag('transposeA'),
  transposeB: call.flag('transposeB'),
});

/** What tfjs calls the activations of its fused layers. */
const activations: Readonly<Record<string, string>> = {
  relu: 'Relu',
  elu: 'Elu',
  sigmoid: 'Sigmoid',
};

const fusedProduct: Kernel = (call) => {
  const raw = product(call, call.input('a'), call.input('b'), turnedBy(call));
  const biased = call.has('bias') ? call.elementwise('Add', [raw, call.input('bias')]) : raw;
  const activation = call.text('activation', 'linear');
  if (activation === 'linear') return biased;
  if (activation === 'relu6') return clip(call, biased, 0, 6);
  const type = activations[activation];
  if (type) return call.elementwise(type, [biased]);
  const inputs: Record<string, Operand> = { x: biased };
  if (call.has('preluActivationWeights')) inputs.alpha = call.input('preluActivationWeights');
  const kernel = activation === 'prelu' ? elementwiseKernels.Prelu : elementwiseKernels.LeakyRelu;
  if ((activation !== 'prelu' && activation !== 'leakyrelu') || !kernel) return call.unsupported(`with ${activation}`);
  return kernel(new KernelCall(call.graph, activation, inputs, { alpha: call.attribute('leakyreluAlpha') }));
};

/** (x − mean) / √(variance + ε) · scale + offset */
const batchNorm: Kernel = (call) => {
  const centred = call.elementwise('Sub', [call.input('x'), call.input('mean')]);
  const variance = call.elementwise('Add', [call.input('variance'), call.constant(call.number('varianceEpsilon'))]);
  const normal = call.elementwise('Div', [centred, call.elementwise('Sqrt', [variance])]);
  const scaled = call.has('scale') ? call.elementwise('Mul', [normal, call.input('scale')]) : normal;
  return call.has('offset') ? call.elementwise('Add', [scaled, call.input('offset')]) : scaled;
};

export const productKernels: KernelTable = {
  BatchMatMul: (call) => product(call, call.input('a'), call.input('b'), turnedBy(call)),
  _FusedMatMul: fusedProduct,
  FusedBatchNorm: batchNorm,
};
