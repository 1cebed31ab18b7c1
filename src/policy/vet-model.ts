import { messageOf } from '../errors.ts';
import { type Manifest, observationSize } from './manifest.ts';
import { inspectModel, type ModelInspection, type TensorInfo } from './onnx-inspect.ts';
import { inputName, outputName, PolicySession } from './runtime.ts';

/**
 * Operators of ONNX's own domain that a policy may use: what multilayer perceptrons, their normalisation and their export
 * by PyTorch and by our tracer need. Time and memory of each follow from the shapes alone. Left out on purpose: control flow
 * (If, Loop, Scan), randomness, whatever makes large tensors out of small ones (Expand, Tile, ConstantOfShape, Pad, Resize),
 * and recurrent operators, whose state would not be ours to reset.
 */
export const allowedOperators: ReadonlySet<string> = new Set([
  ...['MatMul', 'Gemm', 'Add', 'Sub', 'Mul', 'Div', 'Neg', 'Abs', 'Sum', 'Reciprocal'],
  ...['Relu', 'LeakyRelu', 'PRelu', 'Elu', 'Celu', 'Selu', 'Gelu', 'Mish', 'HardSigmoid', 'HardSwish'],
  ...['Tanh', 'Sigmoid', 'Softplus', 'Softsign', 'Softmax', 'Clip', 'Min', 'Max', 'Sqrt', 'Pow', 'Exp', 'Log', 'Erf'],
  ...['Concat', 'Split', 'Slice', 'Gather', 'Shape', 'Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Transpose'],
  ...['Identity', 'Constant', 'Cast', 'LayerNormalization', 'ReduceMean', 'ReduceSum'],
]);

/** What is wrong with a model, without running it; empty if nothing is. */
export function modelReasons(model: Uint8Array, manifest: Manifest): string[] {
  let found: ModelInspection;
  try {
    found = inspectModel(model);
  } catch (error) {
    return [`model: ${messageOf(error)}`];
  }
  const reasons = graphReasons(found);
  if (found.opset !== manifest.model.opset) {
    reasons.push(`model: operator set ${found.opset}, the manifest says ${manifest.model.opset}`);
  }
  reasons.push(...shapeReasons('input', found.inputs, inputName, observationSize(manifest.observation)));
  reasons.push(...shapeReasons('output', found.outputs, outputName, manifest.action.terms.length));
  return reasons;
}

/** What no policy may have, whatever it computes; empty if it has nothing of it. */
export function graphReasons(found: ModelInspection): string[] {
  const reasons: string[] = [];
  if (!found.isSingleGraph) reasons.push('graph: the model does not state exactly one graph of tensors');
  if (found.hasSubgraphs) reasons.push('graph: the model has subgraphs (branches or loops)');
  if (found.hasFunctions) reasons.push('graph: the model defines operators or training of its own');
  if (found.hasSparseTensors) reasons.push('graph: the model has sparse tensors');
  if (found.hasExternalData) reasons.push('graph: the model keeps weights in other files, which are not signed');
  for (const { domain, type } of found.operators) {
    if (domain === '' && allowedOperators.has(type)) continue;
    reasons.push(`operators: ${domain === '' ? '' : `${domain}:`}${type} is not allowed in a policy`);
  }
  return reasons;
}

function shapeReasons(kind: string, found: readonly TensorInfo[], name: string, width: number): string[] {
  const [only, ...more] = found;
  if (!only || more.length > 0 || only.name !== name) {
    const names = found.map((tensor) => `"${tensor.name}"`).join(', ') || 'none';
    return [`shape: the model must have one ${kind} "${name}", it has ${names}`];
  }
  const { dtype, shape } = only;
  const [batch, last] = shape ?? [];
  const ok = dtype === 'float32' && shape?.length === 2 && last === width && (batch === 1 || typeof batch === 'string');
  if (ok) return [];
  return [`shape: ${kind} "${name}" must be float32 [batch, ${width}], it is ${dtype} [${shape?.join(', ') ?? '?'}]`];
}

/** Runs the model on the golden pairs; for models only against which `modelReasons` has nothing. */
export async function goldenReasons(model: Uint8Array, { observation, action, golden }: Manifest): Promise<string[]> {
  const inputs = observationSize(observation);
  const outputs = action.terms.length;
  const misfit = golden.pairs.findIndex((pair) => pair.observation.length !== inputs || pair.action.length !== outputs);
  if (misfit >= 0) return [`golden: pair ${misfit} is not ${inputs} numbers in, ${outputs} out`];

  const reasons: string[] = [];
  let session: PolicySession | undefined;
  try {
    session = await PolicySession.open(model, inputs, outputs);
    for (const [index, pair] of golden.pairs.entries()) {
      const got = await session.run(pair.observation);
      const error = Math.max(...pair.action.map((value, at) => Math.abs(value - (got[at] ?? Number.NaN))));
      if (error <= golden.tolerance) continue;
      // NaN is not ≤ anything, and so comes here too.
      const what = Number.isFinite(error) ? `is off by ${error}, allowed are ${golden.tolerance}` : 'is not finite';
      reasons.push(`golden: the action of pair ${index} ${what}`);
    }
  } catch (error) {
    reasons.push(`model: ${messageOf(error)}`);
  } finally {
    await session?.release();
  }
  return reasons;
}
