import { encodeModel, float32Type, type OnnxTensor, type OnnxValue } from './onnx-format.ts';

/** action = clip(weights · observation + bias, −1, 1) */
export interface LinearPolicy {
  /** one row of n weights for each of the m actions */
  readonly weights: readonly (readonly number[])[];
  /** m values */
  readonly bias: readonly number[];
}

/** Operator set of the models that we write; ONNX Runtime has known it since 1.12. */
export const writtenOpset = 17;
/** the format version that came with that operator set */
export const writtenIrVersion = 8;

/** A linear policy as ONNX: observation [batch, n] → Gemm → Clip → action [batch, m]. */
export function buildLinearPolicy({ weights, bias }: LinearPolicy): Uint8Array {
  const actions = weights.length;
  const observations = weights[0]?.length ?? 0;
  // Gemm multiplies from the right: B is n×m.
  const byObservation = Array.from({ length: observations }, (_, column) =>
    weights.map((row) => row[column] ?? 0),
  ).flat();
  return encodeModel({
    ir_version: writtenIrVersion,
    producer_name: 'h2o-edge',
    opset_import: [{ domain: '', version: writtenOpset }],
    graph: [
      {
        name: 'linear-policy',
        node: [
          { op_type: 'Gemm', input: ['observation', 'weights', 'bias'], output: ['unclipped'] },
          { op_type: 'Clip', input: ['unclipped', 'low', 'high'], output: ['action'] },
        ],
        initializer: [
          floats('weights', [observations, actions], byObservation),
          floats('bias', [actions], bias),
          floats('low', [], [-1]),
          floats('high', [], [1]),
        ],
        input: [batchOf('observation', observations)],
        output: [batchOf('action', actions)],
      },
    ],
  });
}

function floats(name: string, dims: number[], values: readonly number[]): OnnxTensor {
  return { name, dims, data_type: float32Type, float_data: [...values] };
}

function batchOf(name: string, width: number): OnnxValue {
  const shape = { dim: [{ dim_param: 'batch' }, { dim_value: width }] };
  return { name, type: [{ tensor_type: [{ elem_type: float32Type, shape: [shape] }] }] };
}
