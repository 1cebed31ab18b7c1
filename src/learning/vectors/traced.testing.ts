import { openEngine } from '../engines.ts';
import { tf } from '../tf.ts';
import type { Engine } from './training-case.testing.ts';

/** The step as one ONNX graph in ONNX Runtime. In this thread denormals are kept, of which the authors' floor of u is one. */
export const traced: Engine = async (agent, step, shapes) => {
  const { variables } = agent;
  const inputs = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [name, { shape, dtype: 'float32' as const }]),
  );
  const runner = await openEngine('onnx', { step, inputs, variables }, { inThisThread: true });
  return async (given) => {
    const outputs = await runner.run(given);
    const next = await runner.getState();
    for (const variable of variables) {
      const tensor = tf.tensor(next[variable.name] ?? [], variable.shape);
      variable.assign(tensor);
      tensor.dispose();
    }
    return Object.fromEntries(Object.entries(outputs).map(([name, data]) => [name, Float32Array.from(data)]));
  };
};
