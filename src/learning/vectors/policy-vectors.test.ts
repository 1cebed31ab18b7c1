import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { logProbability, sample } from '../networks.ts';
import { tf } from '../tf.ts';
import { arraySchema, filesWith, readVectors, type VectorArray } from './vector-files.testing.ts';

const named = z.record(z.string(), arraySchema);
const sectionSchema = z.object({
  inputs: z.object({ mean: arraySchema, logStd: arraySchema, eps: arraySchema, givenAction: arraySchema }),
  expected: z.object({ float32: named, float64: named }),
});
const files = filesWith('oneDim').map((file) => {
  const json = z.looseObject({ case: z.string() }).parse(readVectors(file));
  const sections = Object.entries(json).flatMap(([name, section]) => {
    const { success, data } = sectionSchema.safeParse(section);
    return success ? [{ name: `${json.case}, ${name}`, ...data }] : [];
  });
  return { file, sections };
});

const tensorOf = ({ data, shape }: VectorArray) => tf.tensor(data, shape);

beforeAll(async () => {
  await tf.setBackend('cpu');
  tf.engine().startScope();
});
afterAll(() => tf.engine().endScope());

describe("the tanh-Gaussian policy agrees with the authors' code", () => {
  it('there are cases', () => expect(files.flatMap(({ sections }) => sections).length).toBeGreaterThan(0));

  const sections = files.flatMap((file) => file.sections);
  it.each(sections.map((one) => [one.name, one] as const))('%s', (_name, { inputs, expected }) => {
    const [mean, logStd, eps, given] = [inputs.mean, inputs.logStd, inputs.eps, inputs.givenAction].map(tensorOf) as [
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
    ];
    const through = (output: 'action' | 'logPi') =>
      tf.grads((m: tf.Tensor, l: tf.Tensor) => sample({ mean: m, logStd: l }, eps)[output])([mean, logStd]);
    const { action, logPi } = sample({ mean, logStd }, eps);
    const [dLogProbMean, dLogProbStd] = through('logPi');
    const [dActionMean, dActionStd] = through('action');
    const ours: Readonly<Record<string, tf.Tensor | undefined>> = {
      action,
      logProb: logPi,
      deterministicAction: tf.tanh(mean),
      dLogProb_dMean: dLogProbMean,
      dLogProb_dLogStd: dLogProbStd,
      dAction_dMean: dActionMean,
      dAction_dLogStd: dActionStd,
      logProbOfGivenAction: logProbability({ mean, logStd }, given),
    };
    // Ours is written with ε, which is nearer to double precision than the authors' own single precision where σ is small.
    const problems = Object.entries(expected.float64).flatMap(([name, { exact }]) => {
      const got = ours[name]?.dataSync();
      if (got?.length !== exact.length) return [`${name}: ${got?.length} numbers, should be ${exact.length}`];
      return exact.flatMap((wanted, row) => {
        const value = got[row] ?? Number.NaN;
        // An action near ±1 is rounded to single precision before tanh is inverted, which costs 1/(1 − a²) of it.
        const conditioning = name === 'logProbOfGivenAction' ? conditionOf(inputs, row, exact.length) : 1;
        const allowed = (1e-5 + 1e-5 * Math.abs(wanted)) * conditioning;
        return Math.abs(value - wanted) <= allowed ? [] : [`${name}[${row}] is ${value}, should be ${wanted}`];
      });
    });
    expect(problems).toEqual([]);
  });
});

/** How much a rounding error of single precision in the inputs is worth in the log-probability of an action, over 1e-7. */
function conditionOf(
  { logStd, mean, givenAction }: z.output<typeof sectionSchema>['inputs'],
  row: number,
  rows: number,
) {
  const dims = givenAction.data.length / rows;
  let worst = 1;
  for (let at = row * dims; at < (row + 1) * dims; at += 1) {
    const action = givenAction.data[at] ?? 0;
    const std = Math.exp(Math.min(2, Math.max(-20, logStd.data[at] ?? 0)));
    const distance = Math.abs(Math.atanh(action) - (mean.data[at] ?? 0));
    worst = Math.max(worst, ((1 + Math.abs(mean.data[at] ?? 0)) * (1 + distance)) / (std * std));
  }
  return worst;
}
