import { encodeModel, type OnnxNode, type OnnxTensor } from './onnx-format.ts';
import { batchOf, floats, writtenIrVersion, writtenOpset } from './onnx-linear.ts';

/** One dense layer: x · weights + bias. */
export interface DenseLayer {
  /** in × out, row by row */
  readonly weights: ArrayLike<number>;
  /** out values */
  readonly bias: ArrayLike<number>;
}

/**
 * A multilayer perceptron as ONNX: observation [batch, n] → (Gemm → Relu)… → Gemm → Tanh → action [batch, m].
 * @param layers from the observation to the action, at least one
 */
export function buildMlpPolicy(layers: readonly DenseLayer[]): Uint8Array {
  const widths = layers.map(({ bias }) => bias.length);
  const [first] = layers;
  const observations = (first?.weights.length ?? 0) / (widths[0] ?? 1);
  const node: OnnxNode[] = [];
  const initializer: OnnxTensor[] = [];
  let x = 'observation';
  for (const [index, { weights, bias }] of layers.entries()) {
    const last = index === layers.length - 1;
    const [gemm, output] = [`dense-${index}`, last ? 'action' : `relu-${index}`];
    node.push({ op_type: 'Gemm', input: [x, `weights-${index}`, `bias-${index}`], output: [gemm] });
    node.push({ op_type: last ? 'Tanh' : 'Relu', input: [gemm], output: [output] });
    initializer.push(
      floats(`weights-${index}`, [weights.length / bias.length, bias.length], Array.from(weights)),
      floats(`bias-${index}`, [bias.length], Array.from(bias)),
    );
    x = output;
  }
  return encodeModel({
    ir_version: writtenIrVersion,
    producer_name: 'h2o-edge',
    opset_import: [{ domain: '', version: writtenOpset }],
    graph: [
      {
        name: 'mlp-policy',
        node,
        initializer,
        input: [batchOf('observation', observations)],
        output: [batchOf('action', widths.at(-1) ?? 0)],
      },
    ],
  });
}
