import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tf } from '../tf.ts';
import type * as trainingCase from './training-case.testing.ts';
import { readTrainingCase, type TrainingCase, vectorFiles } from './vector-files.testing.ts';

// What the golden numbers are worth: deliberate mistakes are put into a copy of the sources, and each must be noticed.

interface Mutant {
  readonly mistake: string;
  readonly file: string;
  /** each text stands in the file exactly once */
  readonly edits: readonly (readonly [from: string, to: string])[];
  /** algorithms whose cases are tried */
  readonly seenBy: readonly TrainingCase['algorithm'][];
}

const mutants: readonly Mutant[] = [
  {
    mistake: 'policy loss with a flipped sign of Q',
    file: 'losses.ts',
    edits: [['tf.sub(tf.mul(alpha, logPi), tf.minimum(q1, q2))', 'tf.add(tf.mul(alpha, logPi), tf.minimum(q1, q2))']],
    seenBy: ['sac'],
  },
  {
    mistake: 'policy loss with the greater Q',
    file: 'losses.ts',
    edits: [['tf.minimum(q1, q2)', 'tf.maximum(q1, q2)']],
    seenBy: ['sac'],
  },
  {
    mistake: 'temperature loss with a flipped sign',
    file: 'losses.ts',
    edits: [
      [
        'tf.neg(mean(tf.mul(logAlpha, tf.add(logPi, targetEntropy))))',
        'mean(tf.mul(logAlpha, tf.add(logPi, targetEntropy)))',
      ],
    ],
    seenBy: ['sac'],
  },
  {
    mistake: 'ends of episodes ignored',
    file: 'losses.ts',
    edits: [['tf.mul(tf.sub(1, done), discount)', 'tf.mul(tf.onesLike(done), discount)']],
    seenBy: ['h2o'],
  },
  {
    mistake: 'simulated rows unweighted',
    file: 'losses.ts',
    edits: [['weight ? tf.mul(weight, squared) : squared', 'squared']],
    seenBy: ['h2o'],
  },
  {
    mistake: 'penalty not clipped',
    file: 'losses.ts',
    edits: [['? x : tf.clipByValue(x, low, high)', '? x : x']],
    seenBy: ['h2o'],
  },
  {
    mistake: 'the wrong side of the quantile',
    file: 'losses.ts',
    edits: [['tf.greaterEqual(error, 0)', 'tf.greaterEqual(tf.neg(error), 0)']],
    seenBy: ['h2oplus'],
  },
  {
    mistake: 'discriminators with exchanged classes',
    file: 'losses.ts',
    edits: [['tf.tensor1d([-1, 1])', 'tf.tensor1d([1, -1])']],
    seenBy: ['darc'],
  },
  {
    mistake: 'gradient of the log-sum-exp not a softmax',
    file: 'losses.ts',
    edits: [['tf.exp(tf.sub(input, tf.expandDims(output, -1)))', 'tf.onesLike(input)']],
    seenBy: ['cql'],
  },
  {
    mistake: 'the multiplier of α ignored',
    file: 'actor-critic.ts',
    edits: [['tf.mul(tf.exp(temperature.parameters), settings.alphaMultiplier)', 'tf.exp(temperature.parameters)']],
    seenBy: ['h2o'],
  },
  {
    mistake: 'log α taken for α',
    file: 'actor-critic.ts',
    edits: [['tf.mul(tf.exp(temperature.parameters), ', 'tf.mul(temperature.parameters, ']],
    seenBy: ['sac'],
  },
  {
    mistake: 'α after its update',
    file: 'actor-critic.ts',
    edits: [
      [
        '  const ofPolicy = gradientOf(',
        '  const later = tf.exp(tf.sub(temperature.parameters, 3e-4));\n  const ofPolicy = gradientOf(',
      ],
      ['policyLoss(alpha, logPi, ', 'policyLoss(later, logPi, '],
    ],
    seenBy: ['sac'],
  },
  {
    mistake: 'entropy in the target where it is not asked for',
    file: 'actor-critic.ts',
    edits: [['return backupEntropy ?', 'return true ?']],
    seenBy: ['cql', 'h2o'],
  },
  {
    mistake: 'no entropy in the target where it is asked for',
    file: 'actor-critic.ts',
    edits: [['return backupEntropy ?', 'return false ?']],
    seenBy: ['sac'],
  },
  {
    mistake: 'policy judged by the target networks',
    file: 'actor-critic.ts',
    edits: [
      [
        'twinQ(q.layout, q.parameters, features(s, action))',
        'twinQ(q.layout, agent.targetQ.parameters, features(s, action))',
      ],
    ],
    seenBy: ['sac'],
  },
  {
    mistake: 'target from the networks that are trained',
    file: 'actor-critic.ts',
    edits: [['twinQ(agent.targetQ.layout, agent.targetQ.parameters,', 'twinQ(agent.q.layout, agent.q.parameters,']],
    seenBy: ['sac'],
  },
  {
    mistake: 'target networks that take 1 − τ',
    file: 'target-update.ts',
    edits: [
      [
        'tf.mul(target.parameters, 1 - tau), tf.mul(parameters, tau)',
        'tf.mul(target.parameters, tau), tf.mul(parameters, 1 - tau)',
      ],
    ],
    seenBy: ['sac'],
  },
  {
    mistake: 'target networks that do not move',
    file: 'actor-critic.ts',
    edits: [['softUpdate(agent.targetQ, agent.q, tau);', '']],
    seenBy: ['sac'],
  },
  {
    mistake: 'Adam with ε of 1e-7',
    file: 'agent.ts',
    edits: [['eps: 1e-8', 'eps: 1e-7']],
    seenBy: ['sac', 'cql', 'darc', 'h2o', 'h2oplus'],
  },
  {
    mistake: 'Adam with β₁ of 0.99',
    file: 'agent.ts',
    edits: [['beta1: 0.9', 'beta1: 0.99']],
    seenBy: ['sac'],
  },
  {
    mistake: 'Adam without correction of its bias',
    file: 'adam.ts',
    edits: [['const root = tf.sqrt(oneMinusPower(beta2, step));', 'const root = tf.scalar(1);']],
    seenBy: ['sac'],
  },
  {
    mistake: 'action without its noise',
    file: 'networks.ts',
    edits: [['tf.add(mean, tf.mul(tf.exp(clamped), epsilon))', 'mean']],
    seenBy: ['sac'],
  },
  {
    mistake: 'log-probability without the Jacobian of tanh',
    file: 'networks.ts',
    edits: [['logPi: tf.sum(tf.sub(logNormal, logJacobian(x)), -1)', 'logPi: tf.sum(logNormal, -1)']],
    seenBy: ['sac'],
  },
  {
    mistake: 'frozen scalars of log σ',
    file: 'networks.ts',
    edits: [
      [
        'return { mean, logStd: tf.add(tf.mul(raw, logStdMultiplier), logStdOffset) };',
        `const frozen = tf.customGrad((x) => ({ value: (x as tf.Tensor).clone(), gradFunc: (dy) => tf.zerosLike(dy) }));
  return { mean, logStd: tf.add(tf.mul(raw, frozen(logStdMultiplier)), frozen(logStdOffset)) };`,
      ],
    ],
    seenBy: ['sac'],
  },
  {
    mistake: 'discriminators bounded by tanh instead of 2·tanh',
    file: 'networks.ts',
    edits: [
      ['tf.mul(tf.tanh(dense(input, layout.split(parameters))), 2)', 'tf.tanh(dense(input, layout.split(parameters)))'],
    ],
    seenBy: ['darc'],
  },
  {
    mistake: 'D_sa without the second loss',
    file: 'dynamics-ratio.ts',
    edits: [
      [
        '  const { lossSa, lossSas, gradients } =',
        '  const fixed = logitGap(discriminatorLogits(dSa.layout, dSa.parameters, sa));\n  const { lossSa, lossSas, gradients } =',
      ],
      ['lossSas: loss(tf.add(g, l))', 'lossSas: loss(tf.add(g, fixed))'],
    ],
    seenBy: ['darc'],
  },
  {
    mistake: 'D_sas without the logits of D_sa',
    file: 'dynamics-ratio.ts',
    edits: [['loss(tf.add(g, l))', 'loss(g)']],
    seenBy: ['darc'],
  },
  {
    mistake: 'discriminators without noise',
    file: 'dynamics-ratio.ts',
    edits: [['tf.mul(features(unit.s, unit.a), noiseStd)', 'tf.mul(features(unit.s, unit.a), 0)']],
    seenBy: ['darc'],
  },
  {
    mistake: 'noise of the next state on the state',
    file: 'dynamics-ratio.ts',
    edits: [['features(unit.s, unit.a), noiseStd', 'features(unit.sNext, unit.a), noiseStd']],
    seenBy: ['darc'],
  },
  {
    mistake: 'importance weight upside down',
    file: 'dynamics-ratio.ts',
    edits: [['const rho = tf.exp(tf.neg(logRatio));', 'const rho = tf.exp(logRatio);']],
    seenBy: ['h2o'],
  },
  {
    mistake: 'importance weight not clipped',
    file: 'dynamics-ratio.ts',
    edits: [['clip ? tf.clipByValue(rho, clip[0], clip[1])', 'clip ? rho']],
    seenBy: ['h2o'],
  },
  {
    mistake: 'samples of s′ in another order',
    file: 'dynamics-ratio.ts',
    edits: [
      [
        'tf.tile(tf.expandDims(x, -2), [...lead.map(() => 1), 1, times, 1])',
        'tf.tile(tf.expandDims(x, -3), [...lead.map(() => 1), times, 1, 1])',
      ],
    ],
    seenBy: ['h2o'],
  },
  {
    mistake: 'penalty without log ω',
    file: 'dynamics-ratio.ts',
    edits: [['tf.div(tf.add(qSim, logOmega), temperature)', 'tf.div(qSim, temperature)']],
    seenBy: ['h2o'],
  },
  {
    mistake: 'penalty without its temperature',
    file: 'dynamics-ratio.ts',
    edits: [
      ['tf.div(tf.add(qSim, logOmega), temperature)', 'tf.add(qSim, logOmega)'],
      ['tf.mul(soft, temperature)', 'soft'],
    ],
    seenBy: ['h2o'],
  },
  {
    mistake: 'real and simulated noise exchanged',
    file: 'algorithms/h2o.ts',
    edits: [
      [
        "rows(given.one('epsRealNext'), given.one('epsSimNext'))",
        "rows(given.one('epsSimNext'), given.one('epsRealNext'))",
      ],
    ],
    seenBy: ['h2o'],
  },
  {
    mistake: 'ratios of the discriminators before their update',
    file: 'algorithms/h2o.ts',
    edits: [
      ['    descend(agent.dSa, d.gradientSa, given.pace);\n    descend(agent.dSas, d.gradientSas, given.pace);\n', ''],
      [
        '    updateActorCritic(agent',
        '    descend(agent.dSa, d.gradientSa, given.pace);\n    descend(agent.dSas, d.gradientSas, given.pace);\n    updateActorCritic(agent',
      ],
    ],
    seenBy: ['h2o'],
  },
  {
    mistake: 'correction of the reward with a flipped sign',
    file: 'algorithms/darc.ts',
    edits: [
      [
        'clip(tf.neg(logSimToReal(agent, { s, a, sNext }, scaling)), ',
        'clip(logSimToReal(agent, { s, a, sNext }, scaling), ',
      ],
    ],
    seenBy: ['darc'],
  },
  {
    mistake: 'CQL without its densities',
    file: 'algorithms/cql.ts',
    edits: [['perState(tf.sub(kind, logDensity[index] as tf.Tensor))', 'perState(kind)']],
    seenBy: ['cql'],
  },
  {
    mistake: 'actions of π(s′) judged at s′',
    file: 'algorithms/cql.ts',
    edits: [
      [
        '[uniform, current.action, next.action].map((candidates) => features(states, candidates))',
        '[uniform, current.action, next.action].map((candidates) => features(candidates === next.action ? repeatRows(sNext, actions) : states, candidates))',
      ],
    ],
    seenBy: ['cql'],
  },
  {
    mistake: 'explore and exploit exchanged',
    file: 'algorithms/h2o-plus.ts',
    edits: [
      ['tf.mul(target(exploit), settings.exploit)', 'tf.mul(target(explore), settings.exploit)'],
      ['tf.mul(target(explore), 1 - settings.exploit)', 'tf.mul(target(exploit), 1 - settings.exploit)'],
    ],
    seenBy: ['h2oplus'],
  },
];

const source = join(import.meta.dirname, '..', '..');
const project = join(source, '..');
const workshop = mkdtempSync(join(tmpdir(), 'mutants-'));
const cases = vectorFiles.flatMap((file) => readTrainingCase(file) ?? []).sort((a, b) => sizeOf(a) - sizeOf(b));

/** roughly how long it takes */
function sizeOf({ dims }: TrainingCase): number {
  return dims.steps * dims.batchPerSource * dims.obs;
}

/** The learning room as it is, but for one mistake, beside everything that it imports. */
async function load(index: number, mutant?: Mutant): Promise<typeof trainingCase> {
  const copy = join(workshop, String(index));
  const room = join(copy, 'src', 'learning');
  cpSync(join(source, 'learning'), room, { recursive: true });
  for (const name of readdirSync(source)) {
    if (name !== 'learning') symlinkSync(join(source, name), join(copy, 'src', name));
  }
  for (const name of ['node_modules', 'test', 'package.json']) symlinkSync(join(project, name), join(copy, name));
  if (mutant) {
    const path = join(room, mutant.file);
    const text = mutant.edits.reduce(
      (before, [from, to]) => {
        expect(before.split(from).length, `"${from}" stands once in ${mutant.file}`).toBe(2);
        return before.replace(from, () => to);
      },
      readFileSync(path, 'utf8'),
    );
    writeFileSync(path, text);
  }
  return import(/* @vite-ignore */ pathToFileURL(join(room, 'vectors', 'training-case.testing.ts')).href);
}

beforeAll(async () => {
  await tf.setBackend('cpu');
});
afterAll(() => rmSync(workshop, { recursive: true }));

describe('golden numbers notice', () => {
  it('nothing in a copy without a mistake', async () => {
    const { trainingProblems } = await load(mutants.length);
    const first = cases[0];
    expect(first && (await trainingProblems(first))).toEqual([]);
  });

  it.each(mutants.map((mutant, index) => [mutant.mistake, index, mutant] as const))(
    '%s',
    async (_name, index, mutant) => {
      const { trainingProblems } = await load(index, mutant);
      const noticed: string[] = [];
      for (const one of cases.filter(({ algorithm }) => mutant.seenBy.includes(algorithm))) {
        noticed.push(...(await trainingProblems(one)));
        if (noticed.length > 0) break;
      }
      expect(noticed).not.toEqual([]);
    },
  );
});
