import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { dynamicsGap, importanceWeights, logSimToReal, perturbNextStates } from '../dynamics-ratio.ts';
import { discriminatorLogits, features, layouts } from '../networks.ts';
import { tf } from '../tf.ts';
import { arraySchema, filesWith, readVectors, transposed, type VectorArray } from './vector-files.testing.ts';

const network = z.record(z.string(), arraySchema);
const schema = z.object({
  case: z.string(),
  dims: z.object({ obs: z.int(), act: z.int(), dHidden: z.int(), batch: z.int(), nextStateSamples: z.int() }),
  sections: z.record(
    z.string(),
    z.object({
      dSa: network,
      dSas: network,
      inputs: z.object({ s: arraySchema, a: arraySchema, sNext: arraySchema, sigma: arraySchema, sPrime: arraySchema }),
      expected: z.object({
        float32: z.looseObject({ countAtFloor: z.int() }).catchall(z.union([arraySchema, z.int()])),
      }),
    }),
  ),
});

const cases = filesWith('sections').flatMap((file) => {
  const { case: name, dims, sections } = schema.parse(readVectors(file));
  return Object.entries(sections).map(([section, given]) => ({ name: `${name}, ${section}`, dims, ...given }));
});

const tensorOf = ({ data, shape }: VectorArray) => tf.tensor(data, shape);

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe("discriminators, weights and gap agree with the authors' code", () => {
  it('there are cases', () => expect(cases.length).toBeGreaterThan(0));

  it.each(cases.map((one) => [one.name, one] as const))('%s', (_name, { dims, dSa, dSas, inputs, expected }) => {
    const problems = tf.tidy(() => {
      const layout = layouts({
        observation: dims.obs,
        action: dims.act,
        hidden: [1],
        discriminatorHidden: [dims.dHidden, dims.dHidden],
      });
      const load = (kind: 'dSa' | 'dSas', arrays: z.output<typeof network>) => {
        const flat = new Float32Array(layout[kind].size);
        for (const [name, slice] of Object.entries(layout[kind].read(flat))) {
          const array = arrays[name];
          if (array) slice.set(transposed(array));
        }
        const parameters = tf.variable(tf.tensor(flat));
        return { layout: layout[kind], parameters, m: parameters, v: parameters };
      };
      const agent = { dSa: load('dSa', dSa), dSas: load('dSas', dSas) };
      const { s, a, sNext, sigma, sPrime } = inputs;
      const batch = { s: tensorOf(s), a: tensorOf(a), sNext: tensorOf(sNext) };
      const logRatio = logSimToReal(agent, batch, null);
      const { rho, w } = importanceWeights(logRatio, [1e-5, 1]);
      const near = perturbNextStates(batch, tensorOf(sigma), tensorOf(sPrime), dims.nextStateSamples);
      const logRatioSamples = logSimToReal(agent, near, null);
      const gap = dynamicsGap(logRatioSamples, dims.nextStateSamples, 10, 'floor');
      const sa = features(batch.s, batch.a);
      const ours: Readonly<Record<string, tf.Tensor>> = {
        logitsSa: discriminatorLogits(agent.dSa.layout, agent.dSa.parameters, sa),
        logitsSas: discriminatorLogits(agent.dSas.layout, agent.dSas.parameters, features(sa, batch.sNext)),
        logSimReal: logRatio,
        logRealSim: tf.neg(logRatio),
        rho,
        w,
        sqrtW: tf.sqrt(w),
        logRatioSamples,
        ...gap,
      };
      const found = Object.entries(expected.float32).flatMap(([name, wanted]) => {
        if (typeof wanted === 'number') {
          const floored = gap.u.dataSync().filter((u) => u < 1e-30).length;
          return floored === wanted ? [] : [`${floored} samples without a gap, should be ${wanted}`];
        }
        const got = ours[name]?.dataSync() ?? [];
        const greatest = Math.max(...[...wanted.data].map((one) => (Number.isFinite(one) ? Math.abs(one) : 0)));
        return [...wanted.data].flatMap((one, row) => {
          const value = got[row] ?? Number.NaN;
          // −∞ or about −103 as the sum falls out: never compared, says the README.
          if (name === 'logOmega' && one < -80 && value < -80) return [];
          return Math.abs(value - one) <= 2e-5 * greatest ? [] : [`${name}[${row}] is ${value}, should be ${one}`];
        });
      });
      agent.dSa.parameters.dispose();
      agent.dSas.parameters.dispose();
      return found;
    });
    expect(problems).toEqual([]);
  });
});
