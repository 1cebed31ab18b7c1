import { dataFor, type NamedData, type Runner, refuseUnknown, type StepInputs } from './runner.ts';
import { tf } from './tf.ts';
import type { InputSpecs, Step } from './tracing/trace.ts';
import type { TensorData, TensorSpec } from './tracing/value.ts';

/** What is run: a step, what it takes, and its state. */
export interface StepProgram {
  readonly step: Step;
  readonly inputs: InputSpecs;
  /** hold the first state; eagerly they hold each later one too */
  readonly variables: readonly tf.Variable[];
}

/** Calls the step itself on a backend of tfjs: slow, and the reference for everything that is faster. */
export class EagerRunner implements Runner {
  readonly #program: StepProgram;
  readonly #backend: string;
  readonly #inputs: readonly TensorSpec[];
  readonly #state: readonly TensorSpec[];

  /** @param backend name of a registered backend of tfjs */
  constructor(program: StepProgram, backend: string) {
    this.#program = program;
    this.#backend = backend;
    this.#inputs = Object.entries(program.inputs).map(([name, spec]) => ({ name, ...spec }));
    this.#state = program.variables.map(specOf);
  }

  async run(inputs: StepInputs): Promise<NamedData> {
    refuseUnknown(this.#inputs, inputs, 'input');
    const data = this.#inputs.map((spec) => dataFor(spec, inputs[spec.name]));
    await tf.setBackend(this.#backend);
    return tf.tidy(() => {
      const tensors = this.#inputs.map(({ name, shape, dtype }, at) => [
        name,
        tf.tensor(data[at] ?? [], [...shape], dtype),
      ]);
      const outputs = this.#program.step(Object.fromEntries(tensors));
      return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, numbersOf(tensor)]));
    });
  }

  getState(): Promise<NamedData> {
    return Promise.resolve(stateOf(this.#program.variables));
  }

  async setState(state: NamedData): Promise<void> {
    refuseUnknown(this.#state, state, 'variable');
    const given = this.#state.flatMap((spec, at) => {
      const variable = this.#program.variables[at];
      return variable && state[spec.name] !== undefined
        ? [{ spec, variable, data: dataFor(spec, state[spec.name]) }]
        : [];
    });
    await tf.setBackend(this.#backend);
    tf.tidy(() => {
      // A copy: the cpu backend would go on using the caller's memory.
      for (const { spec, variable, data } of given)
        variable.assign(tf.tensor(data.slice(), [...spec.shape], spec.dtype));
    });
  }

  dispose(): Promise<void> {
    return Promise.resolve();
  }
}

/** A copy of the variables' values. */
export const stateOf = (variables: readonly tf.Variable[]): NamedData =>
  Object.fromEntries(variables.map((variable) => [variable.name, numbersOf(variable)]));

const numbersOf = (tensor: tf.Tensor): TensorData => (tensor.dataSync() as TensorData).slice();

const specOf = ({ name, shape, dtype }: tf.Variable): TensorSpec => ({
  name,
  shape: [...shape],
  dtype: dtype === 'int32' || dtype === 'bool' ? dtype : 'float32',
});
