import { Graph } from './graph.ts';
import type { Program } from './graph-runner.ts';
import { KernelCall, type Operand } from './kernel-call.ts';
import { product } from './kernels-product.ts';
import { noPack } from './packing.ts';
import { type Operation, sizeOf, type TensorSpec, type Value } from './value.ts';

/** One matrix product of a step: the shapes of its factors before they are turned. */
export interface ProductSpec {
  readonly a: readonly number[];
  readonly b: readonly number[];
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

/** Those that the step's own matMul and its gradients make; sums that the tracer writes as products do not count. */
const kernels: ReadonlySet<string> = new Set(['BatchMatMul', '_FusedMatMul']);

export function productsIn(graph: Graph): ProductSpec[] {
  return graph
    .needed()
    .operations.filter(({ type, kernel }) => kernels.has(kernel) && (type === 'MatMul' || type === 'Gemm'))
    .map(({ inputs: [a, b], attributes }) => {
      const isSet = (name: string) =>
        attributes[name] !== undefined && 'int' in attributes[name] && attributes[name].int === 1;
      const [one, other] = [untransposed(a), untransposed(b)];
      return {
        a: one.shape,
        b: other.shape,
        transposeA: isSet('transA') || one.turned,
        transposeB: isSet('transB') || other.turned,
      };
    });
}

/** A factor that was turned just for this product, as it was before. */
function untransposed(value: Value | undefined): { shape: readonly number[]; turned: boolean } {
  const turned: Operation | undefined = value?.operation;
  const before = turned?.type === 'Transpose' && kernels.has(turned.kernel) ? turned.inputs[0] : undefined;
  return { shape: (before ?? value)?.shape ?? [], turned: before !== undefined };
}

/** 2 · rows · inner · columns of each product, summed [floating point operations] */
export const productFlops = (products: readonly ProductSpec[]): number =>
  products.reduce((sum, { a, b, transposeB }) => sum + 2 * sizeOf(a) * (b.at(transposeB ? -2 : -1) ?? 1), 0);

/**
 * A step of nothing but these products, each of its own factors, which are inputs as in the step; one number of each result
 * is kept, so that none is left out.
 */
export function productsAlone(products: readonly ProductSpec[]): Program {
  const graph = new Graph();
  const call = new KernelCall(graph, 'BatchMatMul', {}, {});
  const state: TensorSpec[] = [];
  const factor = (name: string, shape: readonly number[]): Operand => {
    state.push({ name, shape, dtype: 'float32' });
    return { value: graph.input(name, shape, 'float32'), shape };
  };
  const kept = products.map((spec, at) => {
    const { value, shape } = product(call, factor(`a/${at}`, spec.a), factor(`b/${at}`, spec.b), spec);
    const axes = shape.map((_, axis) => axis);
    const lists = [axes.map(() => 0), axes.map(() => 1), axes].map((list) => graph.ints(list));
    const one = graph.emit('Slice', [value, ...lists], { shape: axes.map(() => 1), dtype: 'float32' });
    return call.reshape({ value: one, shape: one.shape }, [1]).value;
  });
  const shape = [kept.length];
  graph.output('kept', graph.emit('Concat', kept, { shape, dtype: 'float32' }, { axis: { int: 0 } }));
  return {
    model: graph.encode('products'),
    packs: { inputs: noPack, outputs: noPack },
    inputs: [],
    outputs: [{ name: 'kept', shape, dtype: 'float32' }],
    state,
    updated: [],
  };
}
