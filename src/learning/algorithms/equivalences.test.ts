import { afterEach, describe, expect, it } from 'vitest';
import type { Agent } from '../agent.ts';
import { testAgent, testInputs, testSettings, testStep } from '../agents.testing.ts';
import { eager } from '../vectors/training-case.testing.ts';
import type { AlgorithmName } from './algorithms.ts';

// DARC+ and mix have no published numbers: they are held to what they must be in special cases of what has.

const agents: Agent[] = [];
afterEach(() => {
  for (const agent of agents.splice(0)) agent.dispose();
});

type Inputs = Record<string, Float32Array>;

async function stepOf(name: AlgorithmName, settings: object, inputsOf: (given: Inputs) => Inputs = (given) => given) {
  const agent = testAgent(`${name}-${agents.length}`, [1]);
  agents.push(agent);
  const { step, shapes } = testStep(name, agent, { ...testSettings[name], ...settings });
  const run = await eager(agent, step, shapes);
  const drawn = testInputs(testStep('h2o', agent).shapes, 5);
  const outputs = await run(inputsOf(drawn));
  return { agent, outputs };
}

const joined = (...parts: readonly (Float32Array | undefined)[]) =>
  Float32Array.from(parts.flatMap((part) => [...(part ?? [])]));

/** real and simulated rows as one batch of SAC */
const asOneBatch = (given: Inputs): Inputs => ({
  lr: joined(given.lr),
  step: joined(given.step),
  ...Object.fromEntries(
    ['s', 'a', 'r', 'sNext', 'done'].map((field) => [
      `data/${field}`,
      joined(given[`real/${field}`], given[`sim/${field}`]),
    ]),
  ),
  epsObs: joined(given.epsMixed),
  epsNext: joined(given.epsRealNext, given.epsSimNext),
});

function expectSame(one: Float32Array | undefined, other: Float32Array | undefined, factor = 1) {
  expect(one?.length).toBeGreaterThan(0);
  one?.forEach((value, index) => {
    expect(value).toBeCloseTo(factor * (other?.[index] ?? Number.NaN), 5);
  });
}

describe('algorithms that have no published numbers', () => {
  it('mix is SAC on the joined batch; its critic loss is the sum of two means, twice the mean', async () => {
    const mix = await stepOf('mix', {});
    const sac = await stepOf('sac', { batch: 12 }, asOneBatch);
    expectSame(mix.outputs['gradient/policy'], sac.outputs['gradient/policy']);
    expectSame(mix.outputs['gradient/alpha'], sac.outputs['gradient/alpha']);
    expectSame(mix.outputs['gradient/q'], sac.outputs['gradient/q'], 2);
    expectSame(mix.outputs.targetQ, sac.outputs.targetQ);
  });

  it('DARC+ without a correction is mix', async () => {
    const plus = await stepOf('darc+', { correctionClip: [0, 0] });
    const mix = await stepOf('mix', {});
    for (const name of ['policy', 'alpha', 'q']) {
      expectSame(plus.outputs[`gradient/${name}`], mix.outputs[`gradient/${name}`]);
    }
  });

  it('DARC+ corrects the reward of simulated rows, as DARC does, and not that of real ones', async () => {
    const plus = await stepOf('darc+', {});
    const plain = await stepOf('darc+', { correctionClip: [0, 0] });
    const darc = await stepOf('darc', {}, (given) => ({
      ...given,
      epsObs: given.epsSimNext ?? new Float32Array(0),
      epsNext: given.epsSimNext ?? new Float32Array(0),
    }));
    expectSame(plus.outputs['sample/deltaR'], darc.outputs['sample/deltaR']);
    expectSame(plus.outputs['gradient/dSas'], darc.outputs['gradient/dSas']);
    expectSame(plus.outputs['q1/errorReal'], plain.outputs['q1/errorReal']);
    expect(plus.outputs['q1/errorSim']?.[0]).not.toBeCloseTo(plain.outputs['q1/errorSim']?.[0] ?? 0, 3);
    // DARC's loss is the simulated half of DARC+'s.
    expectSame(plus.outputs['q1/errorSim'], darc.outputs['q1/loss']);
  });

  it('H2O without weights and without penalty is mix', async () => {
    const gap = { ...testSettings.h2o.gap, weight: 0 };
    const h2o = await stepOf('h2o', { importanceClip: null, gap });
    const mix = await stepOf('mix', {});
    for (const name of ['policy', 'alpha', 'q']) {
      expectSame(h2o.outputs[`gradient/${name}`], mix.outputs[`gradient/${name}`]);
    }
  });

  it('a fixed temperature stays', async () => {
    const { agent, outputs } = await stepOf('mix', { learnsAlpha: false, alphaMultiplier: 0.2 });
    expect(outputs.alpha?.[0]).toBeCloseTo(0.2, 6);
    expect([...agent.alpha.parameters.dataSync()]).toEqual([0]);
  });
});
