import { EdgeError } from '../../errors.ts';
import { inputName, outputName } from '../../policy/runtime.ts';
import { allowedOperators } from '../../policy/vet-model.ts';
import { tf } from '../tf.ts';
import { arrayOf, bytesOf, type Graph } from './graph.ts';
import { recordTwice } from './trace.ts';
import type { Value } from './value.ts';

/**
 * From a batch of observations [batch, n] to one of actions [batch, m] in [−1, 1]. Its weights are variables or tensors that
 * it reads; they become part of the model.
 */
export type PolicyFunction = (observation: tf.Tensor2D) => tf.Tensor;

export interface ExportOptions {
  /** n */
  readonly observation: number;
  /** m */
  readonly action: number;
}

/** Two sizes of a batch, to tell what follows the batch from what does not. */
const batches = [7, 11] as const;

/**
 * Any tfjs model that the tracer covers, as the `policy.onnx` of a bundle: input `observation` [batch, n], output `action`
 * [batch, m], the first axis free. It is recorded for two batches; what differs between them must be a shape.
 * @throws EdgeError `tracingFailed`, also where a robot would refuse the model for its operators
 */
export function exportModel(policy: PolicyFunction, { observation, action }: ExportOptions): Uint8Array {
  const [one, other] = batches.map((batch) => recordPolicy(policy, batch, observation));
  if (!one || !other) throw new EdgeError('tracingFailed', 'nothing was recorded', 'report the model');
  const [result] = one.outputs;
  if (result?.shape.length !== 2 || result.shape[0] !== batches[0] || result.shape[1] !== action) {
    throw new EdgeError(
      'tracingFailed',
      `the model gives [${result?.shape.join(', ').replace(String(batches[0]), 'batch')}], not [batch, ${action}]`,
      `write it for observations [batch, ${observation}] and actions [batch, ${action}]`,
    );
  }
  freeBatch(one, other);
  const forbidden = one.needed().operations.find(({ type }) => !allowedOperators.has(type));
  if (forbidden) {
    throw new EdgeError(
      'tracingFailed',
      `the model needs ${forbidden.type} (for tfjs's ${forbidden.kernel}), which robots refuse in a policy`,
      'write it with layers, activations and arithmetic alone',
    );
  }
  return one.encode('policy', 'batch');
}

function recordPolicy(policy: PolicyFunction, batch: number, width: number): Graph {
  const step = (inputs: Record<string, tf.Tensor>) => {
    const { [inputName]: observation } = inputs;
    return { [outputName]: policy(observation as tf.Tensor2D) };
  };
  const variables = Object.values(tf.engine().state.registeredVariables);
  const graph = recordTwice(step, { [inputName]: { shape: [batch, width], dtype: 'float32' } }, variables);
  const assigned = graph.outputs.slice(1).map(({ name }) => name);
  if (assigned.length > 0) {
    const names = assigned.join(', ');
    throw new EdgeError('tracingFailed', `the model assigns variables: ${names}`, 'export what only reads them');
  }
  fixVariables(graph, variables);
  return graph;
}

/** Makes constants of variables. */
function fixVariables(graph: Graph, variables: readonly tf.Variable[]): void {
  const weights = new Map<Value, Value>();
  const { operations, values } = graph.needed();
  for (const input of graph.inputs.filter((value) => values.has(value))) {
    const variable = variables.find(({ name }) => name === input.name);
    if (!variable) continue;
    weights.set(input, graph.constant(arrayOf(variable.dataSync(), input.dtype), input.shape, input.dtype));
  }
  for (const operation of operations) operation.inputs = operation.inputs.map((value) => weights.get(value) ?? value);
}

/** Replaces sizes that follow the batch by −1, ONNX's "whatever is left", where that is possible: in reshapes. */
function freeBatch(one: Graph, other: Graph): void {
  const operations = one.needed().operations;
  const counterparts = other.needed().operations;
  if (operations.length !== counterparts.length) refuse('the number of its operations');
  for (const [at, operation] of operations.entries()) {
    const again = counterparts[at];
    if (!again || again.type !== operation.type) refuse(`operation ${at}`);
    if (JSON.stringify(again.attributes) !== JSON.stringify(operation.attributes)) refuse(`${operation.kernel}`);
    const follows = (value: Value | undefined, partner: Value | undefined) => `${value?.shape}` !== `${partner?.shape}`;
    const mixes =
      operation.inputs.some((value, index) => follows(value, again.inputs[index])) &&
      !operation.outputs.some((value, index) => follows(value, again.outputs[index]));
    if (mixes) refuse(`${operation.kernel} takes its rows together`);
    for (const [index, value] of operation.inputs.entries()) {
      const partner = again.inputs[index];
      if (!value.data || (partner?.data && bytesOf(value.data).equals(bytesOf(partner.data)))) continue;
      const shape = operation.type === 'Reshape' && index === 1 && partner ? freed(value, partner) : undefined;
      if (!shape) refuse(`a constant of ${operation.kernel}`);
      operation.inputs = operation.inputs.with(index, one.ints(shape));
    }
  }
}

/** The sizes of a reshape with −1 for the one that grows as the batch does. */
function freed({ data }: Value, { data: again }: Value): number[] | undefined {
  if (!data || !again || data.length !== again.length) return undefined;
  const sizes = [...data].map(Number);
  const changed = sizes.flatMap((size, axis) => (size === Number(again[axis]) ? [] : [axis]));
  const [axis, ...more] = changed;
  return axis === undefined || more.length > 0 ? undefined : sizes.with(axis, -1);
}

function refuse(what: string): never {
  throw new EdgeError(
    'tracingFailed',
    `the model depends on the size of the batch (${what})`,
    'write it so that each row of the batch is computed by itself',
  );
}
