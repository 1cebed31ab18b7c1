import { tf } from '../tf.ts';
import { GraphRunner } from '../tracing/graph-runner.ts';
import { trace } from '../tracing/trace.ts';
import type { Engine } from './training-case.testing.ts';

/** The step as one ONNX graph in ONNX Runtime; denormals kept, since the authors' floor of u is one. */
export const traced: Engine = async (agent, step, shapes) => {
  const { variables } = agent;
  const specs = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [name, { shape, dtype: 'float32' as const }]),
  );
  const program = trace(step, specs, variables);
  const state = Object.fromEntries(
    variables.map((variable) => [variable.name, variable.dataSync<'float32'>().slice()]),
  );
  const runner = await GraphRunner.create(program, state);
  return async (inputs) => {
    const outputs = await runner.run(inputs);
    const next = await runner.getState();
    for (const variable of variables) {
      const tensor = tf.tensor(next[variable.name] ?? [], variable.shape);
      variable.assign(tensor);
      tensor.dispose();
    }
    return Object.fromEntries(Object.entries(outputs).map(([name, data]) => [name, Float32Array.from(data)]));
  };
};
