import { expect } from 'vitest';
import type { NamedData } from '../runner.ts';
import { tf } from '../tf.ts';
import { GraphRunner } from './graph-runner.ts';
import { type InputSpecs, type Step, trace } from './trace.ts';
import type { TensorData } from './value.ts';

/** Numbers that look random and are the same every time (xorshift of 32 bits, then scaled to [low, high)). */
export function numbersOf(seed: number, count: number, low = -2, high = 2): Float32Array {
  let state = (seed * 2654435761 + 1) >>> 0 || 1;
  return Float32Array.from({ length: count }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return low + ((high - low) * (state >>> 0)) / 2 ** 32;
  });
}

export const tensorOf = (seed: number, shape: readonly number[], low?: number, high?: number): tf.Tensor =>
  tf.tensor(
    numbersOf(
      seed,
      shape.reduce((product, size) => product * size, 1),
      low,
      high,
    ),
    [...shape],
  );

export const dataOf = (tensor: tf.Tensor): TensorData => tensor.dataSync() as TensorData;

export const specsOf = (inputs: Readonly<Record<string, tf.Tensor>>): InputSpecs =>
  Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, dtype }]) => [
      name,
      { shape, dtype: dtype as 'float32' | 'int32' | 'bool' },
    ]),
  );

export const stateOf = (variables: readonly tf.Variable[]): NamedData =>
  Object.fromEntries(variables.map((variable) => [variable.name, dataOf(variable).slice()]));

/** One call of the step, traced and then eagerly (which leaves the variables changed). */
export async function runBoth(
  step: Step,
  inputs: Readonly<Record<string, tf.Tensor>>,
  variables: readonly tf.Variable[] = [],
) {
  const traced = trace(step, specsOf(inputs), variables);
  const runner = await GraphRunner.create(traced, stateOf(variables));
  const outputs = await runner.run(Object.fromEntries(Object.entries(inputs).map(([name, x]) => [name, dataOf(x)])));
  const state = await runner.getState();
  await runner.dispose();
  const eager = Object.fromEntries(Object.entries(step({ ...inputs })).map(([name, x]) => [name, dataOf(x)]));
  return { traced: { ...outputs, ...state }, eager: { ...eager, ...stateOf(variables) } };
}

/** The greatest |a − b| / (1 + |b|) of all numbers, by name; NaN next to NaN is equal. */
export function differencesOf(one: NamedData, other: NamedData): Record<string, number> {
  return Object.fromEntries(
    Object.entries(other).map(([name, expected]) => {
      const got = one[name];
      if (got?.length !== expected.length) return [name, Number.POSITIVE_INFINITY];
      let worst = 0;
      for (const [at, value] of expected.entries()) {
        const mine = got[at] ?? Number.NaN;
        if (Object.is(mine, value) || mine === value) continue;
        const difference = Math.abs(mine - value) / (1 + Math.abs(value));
        worst = Math.max(worst, Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference);
      }
      return [name, worst];
    }),
  );
}

export function expectClose(one: NamedData, other: NamedData, tolerance: number): void {
  const far = Object.entries(differencesOf(one, other)).filter(([, difference]) => difference > tolerance);
  expect(Object.fromEntries(far)).toEqual({});
  expect(Object.keys(one).sort()).toEqual(Object.keys(other).sort());
}
