import { EdgeError, messageOf } from '../../errors.ts';
import { tf } from '../tf.ts';
import { backendName, tracer } from './backend.ts';
import { bytesOf, Graph } from './graph.ts';
import { KernelCall } from './kernel-call.ts';
import { type Pack, packInputs, packOutputs } from './packing.ts';
import { type ProductSpec, productsIn } from './products.ts';
import { nextName, type Operation, type TensorSpec, type Value } from './value.ts';

/**
 * What is done again and again: reads and assigns variables (its state), and makes named outputs of named inputs. It must do
 * the same each time it is called: whatever changes from step to step is an input or a variable.
 */
export type Step = (inputs: Record<string, tf.Tensor>) => Record<string, tf.Tensor>;

export type InputSpecs = Readonly<Record<string, Pick<TensorSpec, 'shape' | 'dtype'>>>;

/** A step as one ONNX graph. */
export interface Traced {
  /** the graph: inputs are the step's and, under their names, the variables; outputs the step's and `next/NAME` */
  readonly model: Uint8Array;
  /** those of the step's inputs and outputs that are one tensor of the graph */
  readonly packs: { readonly inputs: Pack; readonly outputs: Pack };
  /** the step's inputs */
  readonly inputs: readonly TensorSpec[];
  /** what the step returns */
  readonly outputs: readonly TensorSpec[];
  /** the variables */
  readonly state: readonly TensorSpec[];
  /** names of the variables that the step assigns */
  readonly updated: readonly string[];
  /** the matrix products in it, for measuring what they alone would cost */
  readonly products: readonly ProductSpec[];
}

/**
 * Records a step: forward, gradients, updates. Variables, tensors and the backend are afterwards as they were before, also
 * after an error. The step is traced twice, and refused if the two differ.
 * @param step is called with symbols, in the shapes of `inputs`
 * @param variables all that the step reads or assigns
 * @throws EdgeError `tracingFailed`
 */
export function trace(step: Step, inputs: InputSpecs, variables: readonly tf.Variable[]): Traced {
  const graph = recordTwice(step, inputs, variables);
  const state = variables.map(specOf);
  const changed = new Set(graph.outputs.map(({ name }) => name));
  const given = Object.entries(inputs).map(([name, { shape, dtype }]) => ({ name, shape: [...shape], dtype }));
  const outputs = graph.outputs.slice(0, graph.outputs.length - countUpdated(state, changed)).map(outputSpec);
  const packs = { inputs: packInputs(graph, given), outputs: packOutputs(graph, outputs) };
  return {
    model: graph.encode('step'),
    packs,
    inputs: given,
    outputs,
    state,
    updated: state.map(({ name }) => name).filter((name) => changed.has(nextName(name))),
    products: productsIn(graph),
  };
}

const countUpdated = (state: readonly TensorSpec[], outputs: ReadonlySet<string>): number =>
  state.filter(({ name }) => outputs.has(nextName(name))).length;

function specOf({ name, shape, dtype }: tf.Variable): TensorSpec {
  return { name, shape: [...shape], dtype: tracedType(dtype, `the variable "${name}"`) };
}

function outputSpec({ name, shape, dtype }: Value): TensorSpec {
  return { name, shape, dtype: tracedType(dtype, `the output "${name}"`) };
}

function tracedType(dtype: string, what: string): TensorSpec['dtype'] {
  if (dtype === 'float32' || dtype === 'int32' || dtype === 'bool') return dtype;
  throw new EdgeError('tracingFailed', `${what} is of ${dtype}`, 'use float32, int32 or bool');
}

/** The recorded graph of a step that does the same twice. */
export function recordTwice(step: Step, inputs: InputSpecs, variables: readonly tf.Variable[]): Graph {
  const graph = record(step, inputs, variables, false);
  if (differenceOf(graph, record(step, inputs, variables, false)) === undefined) return graph;
  // Once more, slowly, to say where.
  const difference = differenceOf(record(step, inputs, variables, true), record(step, inputs, variables, true));
  throw new EdgeError(
    'tracingFailed',
    `the step is not the same when it is traced again: ${difference ?? 'it differs now and then'}`,
    'make whatever changes from step to step (random numbers, counters, schedules) an input or a variable of the step',
  );
}

/** One pass of the step on the tracing backend. */
export function record(step: Step, inputs: InputSpecs, variables: readonly tf.Variable[], locate: boolean): Graph {
  checkNames(Object.keys(inputs), variables);
  const graph = new Graph();
  const engine = tf.engine();
  // Asking for the backend makes tfjs choose one, if nobody has yet.
  const eager = tf.backend() && tf.getBackend();
  const known = new Set(Object.keys(engine.state.registeredVariables));
  const kept = variables.map((variable) => tf.keep(tf.clone(variable)));
  useBackend(backendName);
  tracer.recording = { graph, locate };
  try {
    tf.tidy(() => {
      const symbol = (name: string, shape: readonly number[], dtype: TensorSpec['dtype']): tf.Tensor => {
        const info = tracer.hold({ value: graph.input(name, shape, dtype), shape });
        return engine.makeTensorFromTensorInfo(info);
      };
      const args = Object.entries(inputs).map(
        ([name, { shape, dtype }]) => [name, symbol(name, shape, dtype)] as const,
      );
      // Each gets its own symbol: two variables may share their data, after `target.assign(q)` for one.
      const before = variables.map((variable) => {
        variable.assign(symbol(variable.name, variable.shape, specOf(variable).dtype));
        return variable.dataId;
      });
      const results = Object.entries(step(Object.fromEntries(args)));
      for (const [name, tensor] of results) output(graph, name, tensor, inputs, variables);
      variables.forEach((variable, at) => {
        if (variable.dataId === before[at]) return;
        graph.kernel = 'assign';
        graph.output(nextName(variable.name), fullValue(graph, variable));
      });
    });
    refuseNewVariables(known);
  } catch (error) {
    throw explained(error);
  } finally {
    for (const [name, variable] of Object.entries(engine.state.registeredVariables)) {
      if (!known.has(name)) variable.dispose();
    }
    tracer.recording = undefined;
    useBackend(eager);
    variables.forEach((variable, at) => {
      const value = kept[at];
      if (!value) return;
      variable.assign(value);
      value.dispose();
    });
  }
  return graph;
}

const fullValue = (graph: Graph, tensor: tf.Tensor): Value =>
  new KernelCall(graph, 'output', {}, {}).full(tracer.operandOf(tensor));

function output(
  graph: Graph,
  name: string,
  tensor: unknown,
  inputs: InputSpecs,
  variables: readonly tf.Variable[],
): void {
  if (!(tensor instanceof tf.Tensor)) {
    throw new EdgeError('tracingFailed', `the output "${name}" is ${tensor}, no tensor`, 'return tensors by name');
  }
  if (inputs[name] || variables.some((variable) => variable.name === name || nextName(variable.name) === name)) {
    throw new EdgeError('tracingFailed', `the output "${name}" has the name of an input or a variable`, 'rename it');
  }
  graph.kernel = 'output';
  graph.output(name, fullValue(graph, tensor));
}

function checkNames(inputs: readonly string[], variables: readonly tf.Variable[]): void {
  const names = [...inputs, ...variables.map(({ name }) => name)];
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) {
    throw new EdgeError('tracingFailed', `two inputs or variables are named "${twice}"`, 'rename one of them');
  }
  const disposed = variables.find((variable) => variable.isDisposed);
  if (disposed) throw new EdgeError('tracingFailed', `the variable "${disposed.name}" is disposed`, 'make it anew');
}

function refuseNewVariables(known: ReadonlySet<string>): void {
  const born = Object.keys(tf.engine().state.registeredVariables).filter((name) => !known.has(name));
  if (born.length === 0) return;
  throw new EdgeError(
    'tracingFailed',
    `the step makes variables: ${born.map((name) => `"${name}"`).join(', ')}`,
    'make them before, and trace the step with them (an optimizer of tfjs makes its own in its first step)',
  );
}

/** tfjs's own errors, in our words where we know them. */
function explained(error: unknown): unknown {
  if (error instanceof EdgeError) return error;
  const [, kernel] = /Kernel '(\w+)' not registered for backend/.exec(messageOf(error)) ?? [];
  if (kernel !== undefined) {
    return new EdgeError(
      'tracingFailed',
      `the tracer does not cover the tfjs kernel ${kernel}`,
      'write the step with other operations, or run it with the engine "cpu"',
      { cause: error },
    );
  }
  return new EdgeError('tracingFailed', `the step fails: ${messageOf(error)}`, 'run it with the engine "cpu" first', {
    cause: error,
  });
}

/** Effective at once for a backend that is registered and needs no waiting, which both are. */
function useBackend(name: string): void {
  void tf.setBackend(name);
}

/** Where two recordings part, in words; undefined if nowhere. */
function differenceOf(one: Graph, other: Graph): string | undefined {
  for (const [at, operation] of one.operations.entries()) {
    const again = other.operations[at];
    const where = `operation ${at} (${operation.kernel}${operation.calledFrom ? `, called from ${operation.calledFrom}` : ''})`;
    if (!again) return `${where} is missing the second time`;
    if (signature(operation) !== signature(again)) {
      return `${where} becomes ${operation.type}, then ${again.type} (${again.kernel})`;
    }
    for (const [index, value] of operation.inputs.entries()) {
      const counterpart = again.inputs[index];
      if (!counterpart || !sameValue(value, counterpart)) {
        return `${where} takes ${inWords(value)}, then ${counterpart ? inWords(counterpart) : 'nothing'}`;
      }
    }
  }
  const extra = other.operations[one.operations.length];
  if (extra) return `operation ${one.operations.length} (${extra.kernel}) comes only the second time`;
  const names = ({ outputs }: Graph) => outputs.map(({ id, name }) => `${name} (value ${id})`).join(', ');
  return names(one) === names(other) ? undefined : `it gives ${names(one)}, then ${names(other)}`;
}

const signature = ({ type, attributes, outputs }: Operation): string =>
  JSON.stringify([type, attributes, outputs.map(({ shape, dtype }) => [shape, dtype])]);

function sameValue(one: Value, other: Value): boolean {
  if (one.data && other.data) {
    return (
      one.dtype === other.dtype && `${one.shape}` === `${other.shape}` && bytesOf(one.data).equals(bytesOf(other.data))
    );
  }
  return one.id === other.id && one.data === undefined && other.data === undefined;
}

function inWords({ data, name, shape }: Value): string {
  if (!data) return `"${name}"`;
  if (data.length === 1) return `the constant ${data[0]}`;
  return `constants ${[...data.slice(0, 3)].join(', ')}, … (${shape.join('×')} of them)`;
}
