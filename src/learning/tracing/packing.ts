import { dataFor, type NamedData, type StepInputs } from '../runner.ts';
import type { Graph } from './graph.ts';
import { sizeOf, type TensorData, type TensorSpec, type Value } from './value.ts';

/**
 * Tensors that enter or leave a graph as one vector, one after the other. Each tensor of its own would cost two
 * microseconds at the border to ONNX Runtime, and as much again between threads, where a small step takes a millisecond and
 * has fifty of them.
 */
export interface Pack {
  /** of the one tensor */
  readonly name: string;
  readonly members: readonly TensorSpec[];
  /** numbers in all */
  readonly size: number;
}

/** Inputs or outputs of one step on their way: `packed` holds what has a place in the pack. */
export interface Parcel {
  readonly packed: Float32Array;
  readonly others: NamedData;
}

/** An empty pack, for programs whose tensors all go alone. */
export const noPack: Pack = { name: '', members: [], size: 0 };

const packOf = (name: string, tensors: readonly TensorSpec[]): Pack => {
  const members = tensors.filter(({ dtype }) => dtype === 'float32');
  if (members.length < 2) return noPack;
  return { name, members, size: members.reduce((sum, { shape }) => sum + sizeOf(shape), 0) };
};

/** Rewrites the graph to take these inputs, as far as they are float32, as one. */
export function packInputs(graph: Graph, inputs: readonly TensorSpec[]): Pack {
  const pack = packOf('packed/inputs', inputs);
  const given = new Map(graph.inputs.map((value) => [value.name, value]));
  const recorded = graph.operations.splice(0);
  const whole = pack.size > 0 ? graph.input(pack.name, [pack.size], 'float32') : undefined;
  if (whole) {
    graph.kernel = 'unpack';
    const pieces = pack.members.map(({ shape }) => ({ shape: [sizeOf(shape)], dtype: 'float32' as const }));
    const sizes = graph.ints(pieces.flatMap(({ shape }) => shape));
    const parts = graph.emitMany('Split', [whole, sizes], pieces, { axis: { int: 0 } });
    const replaced = new Map<Value, Value>();
    pack.members.forEach(({ name, shape }, at) => {
      const [before, part] = [given.get(name), parts[at]];
      if (before && part) replaced.set(before, reshaped(graph, part, shape));
    });
    for (const operation of recorded) operation.inputs = operation.inputs.map((value) => replaced.get(value) ?? value);
    graph.inputs.splice(0, graph.inputs.length, ...graph.inputs.filter((value) => !replaced.has(value)));
  }
  graph.operations.push(...recorded);
  return pack;
}

/** Rewrites the graph to give these outputs, as far as they are float32, as one. */
export function packOutputs(graph: Graph, outputs: readonly TensorSpec[]): Pack {
  const pack = packOf('packed/outputs', outputs);
  if (pack.size === 0) return pack;
  graph.kernel = 'pack';
  const names = new Set(pack.members.map(({ name }) => name));
  const members = graph.outputs.filter(({ name }) => names.has(name));
  graph.outputs.splice(0, graph.outputs.length, ...graph.outputs.filter(({ name }) => !names.has(name)));
  const parts = members.map((value) => reshaped(graph, value, [sizeOf(value.shape)]));
  const result = { shape: [pack.size], dtype: 'float32' } as const;
  graph.output(pack.name, graph.emit('Concat', parts, result, { axis: { int: 0 } }));
  return pack;
}

function reshaped(graph: Graph, value: Value, shape: readonly number[]): Value {
  if (value.shape.length === 1 && shape.length === 1) return value;
  return graph.emit('Reshape', [value, graph.ints(shape)], { shape, dtype: value.dtype });
}

/** @throws EdgeError `stepInvalid` when inputs are missing or of another size */
export function parcelOf(pack: Pack, specs: readonly TensorSpec[], given: StepInputs): Parcel {
  const packed = new Float32Array(pack.size);
  let at = 0;
  for (const spec of pack.members) {
    const data = dataFor(spec, given[spec.name]);
    packed.set(data, at);
    at += data.length;
  }
  const others = specs.filter((spec) => !pack.members.includes(spec));
  return { packed, others: Object.fromEntries(others.map((spec) => [spec.name, dataFor(spec, given[spec.name])])) };
}

/** What a parcel holds, by name; what was packed as parts of its memory. */
export function unpacked({ members }: Pack, { packed, others }: Parcel): NamedData {
  const data: Record<string, TensorData> = { ...others };
  let at = 0;
  for (const { name, shape } of members) {
    const size = sizeOf(shape);
    data[name] = packed.subarray(at, at + size);
    at += size;
  }
  return data;
}
