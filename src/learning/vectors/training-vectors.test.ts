import { beforeAll, describe, expect, it } from 'vitest';
import { tf } from '../tf.ts';
import { traced } from './traced.testing.ts';
import { eager, trainingProblems } from './training-case.testing.ts';
import { readTrainingCase, vectorFiles } from './vector-files.testing.ts';

const cases = vectorFiles.flatMap((file) => readTrainingCase(file) ?? []);

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe.each([
  ['eagerly', eager],
  ['as one ONNX graph', traced],
])("training steps run %s agree with the authors' code", (_how, engine) => {
  it('there are cases', () => expect(cases.length).toBeGreaterThan(0));

  it.each(cases.map((one) => [one.case, one] as const))('%s', async (_name, one) => {
    const before = tf.memory().numTensors;
    expect(await trainingProblems(one, engine)).toEqual([]);
    expect(tf.memory().numTensors).toBe(before);
  });
});
