import { describe, expect, it } from 'vitest';
import { testAgent, testInputs, testStep } from './agents.testing.ts';
import { type AlgorithmName, algorithmNames } from './algorithms/algorithms.ts';
import { elements, ofSeed } from './parameters.ts';
import { traced } from './vectors/traced.testing.ts';
import { type Engine, eager } from './vectors/training-case.testing.ts';

const seeds = [7, 8, 9];
const steps = 3;

/** Inputs of K seeds, each the inputs of its single run. */
function together(singles: readonly Record<string, Float32Array>[], shapes: Readonly<Record<string, number[]>>) {
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      if (shape.length === 0) return [name, singles[0]?.[name] ?? new Float32Array(1)];
      const all = new Float32Array(elements(shape));
      singles.forEach((single, seed) => {
        all.set(single[name] ?? [], (seed * all.length) / singles.length);
      });
      return [name, all];
    }),
  );
}

// A graph takes a second to load: two algorithms that between them use everything.
const runs = [
  ...algorithmNames.map((name) => [name, 'eagerly', eager] as const),
  ...(['cql', 'h2o'] as const).map((name) => [name, 'as one ONNX graph', traced] as const),
] satisfies readonly (readonly [AlgorithmName, string, Engine])[];

describe('several seeds in one step', () => {
  it.each(runs)('%s, run %s: each is what it would be alone', async (name, _how, engine) => {
    const group = testAgent('group', seeds);
    const alone = seeds.map((seed) => testAgent(`alone-${seed}`, [seed]));
    const groupStep = testStep(name, group);
    const runGroup = await engine(group, groupStep.step, groupStep.shapes);
    const singles = await Promise.all(
      alone.map(async (agent) => {
        const { step, shapes } = testStep(name, agent);
        return { shapes, run: await engine(agent, step, shapes) };
      }),
    );

    for (let step = 1; step <= steps; step += 1) {
      const inputs = singles.map(({ shapes }, index) => testInputs(shapes, 100 * step + index, step));
      const single = await Promise.all(singles.map(({ run }, index) => run(inputs[index] ?? {})));
      const joint = await runGroup(together(inputs, groupStep.shapes));
      for (const [metric, values] of Object.entries(joint)) {
        const expected = single.flatMap((outputs) => [...(outputs[metric] ?? [])]);
        expect(values.length, metric).toBe(expected.length);
        expect(furthest(values, expected), metric).toBeLessThan(1e-4);
      }
    }
    group.variables.forEach((variable, index) => {
      const expected = alone.flatMap((agent) => [...(agent.variables[index]?.dataSync() ?? [])]);
      expect(variable.size, variable.name).toBe(expected.length);
      expect(furthest(variable.dataSync<'float32'>(), expected), variable.name).toBeLessThan(2e-5);
    });
    const ofGroup = group.policy.parameters.dataSync<'float32'>();
    alone.forEach(({ policy }, seed) => {
      const own = [...policy.parameters.dataSync()];
      expect(furthest(ofSeed(ofGroup, policy.layout, seed), own)).toBeLessThan(2e-5);
    });
    for (const agent of [group, ...alone]) agent.dispose();
  });
});

/** Greatest difference, relative to 1 or to the number itself where that is greater; infinities must be equal. */
const furthest = (values: Float32Array, expected: readonly number[]) =>
  values.reduce((worst, value, index) => {
    const wanted = expected[index] ?? Number.NaN;
    if (value === wanted) return worst;
    const difference = Math.abs(value - wanted) / Math.max(1, Math.abs(wanted));
    return difference <= worst ? worst : difference;
  }, 0);
