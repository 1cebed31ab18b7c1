import { decodeModel, externalLocation, type OnnxModel, type OnnxTensor, type OnnxValue } from './onnx-format.ts';

/** One input or output of a model. */
export interface TensorInfo {
  readonly name: string;
  /** ONNX's own name of the element type; "?" for one that policies have no use for */
  readonly dtype: string;
  /** a number, or the name of a size that is free ("" if it has none); undefined where the model states no shape */
  readonly shape: readonly (number | string)[] | undefined;
}

export interface OperatorUse {
  /** "" is ONNX's own */
  readonly domain: string;
  readonly type: string;
}

export interface ModelInspection {
  /** without the initializers, which old models list among their inputs */
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  /** each kind once, in the order of first use */
  readonly operators: readonly OperatorUse[];
  /** version of ONNX's own operator set; 0 if it is not imported */
  readonly opset: number;
  readonly irVersion: number;
  /** exactly one graph, stated once, as every honest model has it */
  readonly isSingleGraph: boolean;
  /** branches and loops: running time would depend on the data */
  readonly hasSubgraphs: boolean;
  /** operators defined in the model itself, or parts meant for training */
  readonly hasFunctions: boolean;
  readonly hasSparseTensors: boolean;
  /** weights in other files, which nobody has signed */
  readonly hasExternalData: boolean;
  readonly initializerBytes: number;
  readonly metadata: Readonly<Record<string, string>>;
}

const dtypes: Readonly<Record<number, string>> = {
  1: 'float32',
  6: 'int32',
  7: 'int64',
  9: 'bool',
  10: 'float16',
  11: 'float64',
};
const bytesPerElement: Readonly<Record<number, number>> = {
  2: 1,
  3: 1,
  9: 1,
  4: 2,
  5: 2,
  10: 2,
  16: 2,
  7: 8,
  11: 8,
  13: 8,
};

/**
 * What a model is made of, without running it.
 * @throws EdgeError `modelInvalid` when it is no ONNX model
 */
export function inspectModel(bytes: Uint8Array): ModelInspection {
  const model = decodeModel(bytes);
  const nodes = model.graph.flatMap((graph) => graph.node);
  const attributes = nodes.flatMap((node) => node.attribute ?? []);
  const initializers = model.graph.flatMap((graph) => graph.initializer);
  const tensors = [
    ...initializers,
    ...attributes.flatMap((attribute) => [...some(attribute.t), ...some(attribute.tensors)]),
  ];
  const initialized = new Set(initializers.map((tensor) => tensor.name));
  const values = model.graph.flatMap((graph) => [...graph.input, ...graph.output]);

  return {
    inputs: model.graph.flatMap((graph) => graph.input.filter((value) => !initialized.has(value.name)).map(tensorInfo)),
    outputs: model.graph.flatMap((graph) => graph.output.map(tensorInfo)),
    operators: operatorsOf(model),
    opset: model.opset_import.find(({ domain }) => domain === '' || domain === 'ai.onnx')?.version ?? 0,
    irVersion: model.ir_version,
    isSingleGraph:
      model.graph.length === 1 &&
      values.every(({ type }) => type.length === 1 && type.every(({ tensor_type: [one, more] }) => one && !more)) &&
      attributes.every((attribute) => some(attribute.t).length <= 1),
    hasSubgraphs: attributes.some((attribute) => some(attribute.g).length > 0 || some(attribute.graphs).length > 0),
    hasFunctions: some(model.functions).length > 0 || some(model.training_info).length > 0,
    hasSparseTensors:
      model.graph.some((graph) => some(graph.sparse_initializer).length > 0) ||
      attributes.some((one) => some(one.sparse_tensor).length > 0 || some(one.sparse_tensors).length > 0),
    hasExternalData: tensors.some(
      (tensor) => some(tensor.external_data).length > 0 || tensor.data_location === externalLocation,
    ),
    initializerBytes: initializers.reduce((sum, tensor) => sum + tensorBytes(tensor), 0),
    metadata: Object.fromEntries(some(model.metadata_props).map(({ key, value }) => [key, value])),
  };
}

function operatorsOf(model: OnnxModel): OperatorUse[] {
  const uses = new Map<string, OperatorUse>();
  for (const { domain: stated = '', op_type: type } of model.graph.flatMap((graph) => graph.node)) {
    // Two names of the same domain; see "Identifying Operator Sets" of the ONNX specification.
    const domain = stated === 'ai.onnx' ? '' : stated;
    uses.set(`${domain}\0${type}`, { domain, type });
  }
  return [...uses.values()];
}

function tensorInfo({ name, type }: OnnxValue): TensorInfo {
  const tensor = type[0]?.tensor_type[0];
  const shape = tensor?.shape.length === 1 ? tensor.shape[0] : undefined;
  return {
    name,
    dtype: dtypes[tensor?.elem_type ?? 0] ?? '?',
    shape: shape?.dim.map(({ dim_value, dim_param }) => dim_value ?? dim_param ?? ''),
  };
}

const some = <T>(list: readonly T[] | undefined): readonly T[] => list ?? [];

const tensorBytes = ({ dims, data_type }: OnnxTensor): number =>
  dims.reduce((product, size) => product * size, 1) * (bytesPerElement[data_type] ?? 4);
