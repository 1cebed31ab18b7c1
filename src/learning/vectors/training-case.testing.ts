import type { ActorCriticSettings } from '../actor-critic.ts';
import { Agent, type Followed } from '../agent.ts';
import { algorithms } from '../algorithms/algorithms.ts';
import type { DiscriminatorSettings } from '../dynamics-ratio.ts';
import type { Layout } from '../parameters.ts';
import { tf } from '../tf.ts';
import { inputShapes, type StepNeeds, type TrainingStep } from '../training-step.ts';
import { authorsMetrics } from './authors-metrics.testing.ts';
import { type ExpectedStep, type NetworkSet, type TrainingCase, transposed } from './vector-files.testing.ts';

/** One step with numbers in and out; variables of the agent hold the new state afterwards. */
export type Runner = (inputs: Readonly<Record<string, Float32Array>>) => Promise<Record<string, Float32Array>>;
/** Eager, recorded, …: makes a runner of a step. */
export type Engine = (agent: Agent, step: TrainingStep, shapes: Readonly<Record<string, number[]>>) => Promise<Runner>;

/** TensorFlow.js on whatever backend is set. */
export const eager: Engine = async (_agent, step, shapes) => async (inputs) => {
  const outputs = tf.tidy(() =>
    step(
      Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, tf.tensor(inputs[name] ?? [], shape)])),
    ),
  );
  const values = Object.entries(outputs).map(([name, tensor]) => [name, tensor.dataSync<'float32'>()] as const);
  tf.dispose(outputs);
  return Object.fromEntries(values);
};

/** Tolerances of single precision, from the README of the vectors. */
const tolerance = { metric: 1e-5, sample: 2e-5, gradient: 1e-4, weight: 1e-6 } as const;

/**
 * Runs every step of a case.
 * @returns what differs by more than its tolerance, in words; nothing when all is well
 */
export async function trainingProblems(given: TrainingCase, engine: Engine = eager): Promise<string[]> {
  const agent = agentOf(given);
  try {
    const { step, inputs } = algorithmOf(given, agent);
    const shapes = inputShapes(inputs, agent.sizes);
    const run = await engine(agent, step, shapes);
    const problems: string[] = [];
    for (const [index, { batches, noise }] of given.inputs.entries()) {
      const expected = given.expected.float32[index];
      if (!expected) return [`step ${index + 1} has no expected numbers`];
      const fed: Record<string, Float32Array> = {
        lr: Float32Array.of(given.adam.lr),
        step: Float32Array.of(index + 1),
        ...Object.fromEntries(Object.entries(noise).map(([name, { data }]) => [name, data])),
      };
      for (const [name, fields] of Object.entries(batches)) {
        for (const [field, { data }] of Object.entries(fields)) fed[`${name}/${field}`] = data;
      }
      const outputs = await run(fed);
      const found = [
        ...metricProblems(given, index, outputs, expected),
        ...sampleProblems(outputs, expected),
        ...gradientProblems(agent, outputs, expected),
        ...weightProblems(agent, expected),
      ];
      problems.push(...found.map((problem) => `step ${index + 1}: ${problem}`));
    }
    return problems;
  } finally {
    agent.dispose();
  }
}

/** Network of the vectors → whose parameters, and under which prefix. */
function networksOf(agent: Agent) {
  return {
    policy: [agent.policy, ''],
    qf1: [agent.q, 'qf1.'],
    qf2: [agent.q, 'qf2.'],
    targetQf1: [agent.targetQ, 'qf1.'],
    targetQf2: [agent.targetQ, 'qf2.'],
    vf: [agent.v, ''],
    dSa: [agent.dSa, ''],
    dSas: [agent.dSas, ''],
  } as const satisfies Record<string, readonly [Followed, string]>;
}

/** Each array of a set, as numbers in our order, with where ours stands. */
function* arraysOf(agent: Agent, set: NetworkSet): Generator<[string, Followed, string, Float32Array]> {
  for (const [network, arrays] of Object.entries(set)) {
    if (typeof arrays === 'number') {
      yield [network, agent.alpha, 'logAlpha', Float32Array.of(arrays)];
      continue;
    }
    const [owner, prefix] = networksOf(agent)[network as keyof ReturnType<typeof networksOf>];
    for (const [name, array] of Object.entries(arrays)) {
      const numbers = typeof array === 'number' ? Float32Array.of(array) : transposed(array);
      yield [`${network}.${name}`, owner, `${prefix}${name}`, numbers];
    }
  }
}

function agentOf({ case: name, dims, init }: TrainingCase): Agent {
  const hidden = hiddenOf(init.policy);
  const discriminatorHidden = init.dSa ? hiddenOf(init.dSa) : [1];
  const agent = new Agent({
    sizes: { observation: dims.obs, action: dims.act, hidden, discriminatorHidden },
    random: [() => 0.5],
    name: `${name}/`,
  });
  for (const [what, { parameters, layout }, slice, numbers] of arraysOf(agent, init)) {
    const flat = parameters.dataSync<'float32'>().slice();
    const target = layout.read(flat)[slice];
    if (target?.length !== numbers.length) throw new Error(`${name}: ${what} has ${numbers.length} numbers`);
    target.set(numbers);
    const tensor = tf.tensor(flat, parameters.shape);
    parameters.assign(tensor);
    tensor.dispose();
  }
  return agent;
}

/** Widths of the hidden layers, from the shapes of all weights but the last. */
function hiddenOf(network: NetworkSet[string] | undefined): number[] {
  const weights = Object.entries(typeof network === 'object' ? network : {}).filter(([name]) => /^W\d+$/.test(name));
  return weights
    .sort(([one], [other]) => Number(one.slice(1)) - Number(other.slice(1)))
    .slice(0, -1)
    .map(([, array]) => (typeof array === 'number' ? 1 : (array.shape[0] ?? 0)));
}

function algorithmOf(given: TrainingCase, agent: Agent): { step: TrainingStep; inputs: StepNeeds } {
  const { config, dims } = given;
  const number = (key: string) => value(config, key, 'number');
  const flag = (key: string) => value(config, key, 'boolean');
  for (const [key, wanted] of Object.entries(fixed)) {
    if (key in config && config[key] !== wanted) throw new Error(`${given.case}: ${key} = ${config[key]} is not built`);
  }
  for (const key of Object.keys(config).filter((name) => name.endsWith('_lr'))) {
    if (number(key) !== given.adam.lr) throw new Error(`${given.case}: ${key} is not the common learning rate`);
  }
  const common: ActorCriticSettings & { batch: number } = {
    batch: dims.batchPerSource,
    discount: number('discount'),
    tau: number('soft_target_update_rate'),
    targetEntropy: number('target_entropy'),
    alphaMultiplier: number('alpha_multiplier'),
    learnsAlpha: flag('use_automatic_entropy_tuning'),
    backupEntropy: 'backup_entropy' in config ? flag('backup_entropy') : flag('backup_policy_entropy'),
    weightAverage: 0,
    diagnostics: true,
  };
  const discriminators = (): DiscriminatorSettings => ({
    batch: dims.dBatchPerSource,
    noiseStd: number('noise_std_discriminator'),
    scaling: null,
  });
  const importanceClip = () =>
    flag('use_td_target_ratio')
      ? ([number('clip_dynamics_ratio_min'), number('clip_dynamics_ratio_max')] as const)
      : null;
  const penaltyClip = () => [number('cql_clip_diff_min'), number('cql_clip_diff_max')] as const;

  switch (given.algorithm) {
    case 'sac':
      return bind(algorithms.sac, common, agent);
    case 'cql':
      return bind(
        algorithms.cql,
        {
          ...common,
          actions: number('cql_n_actions'),
          conservatism: number('cql_min_q_weight'),
          temperature: number('cql_temp'),
          clip: penaltyClip(),
        },
        agent,
      );
    case 'darc':
      return bind(algorithms.darc, { ...common, discriminators: discriminators(), correctionClip: [-10, 10] }, agent);
    case 'h2o':
      return bind(
        algorithms.h2o,
        {
          ...common,
          discriminators: discriminators(),
          importanceClip: importanceClip(),
          gap: {
            weight: number('cql_min_q_weight'),
            samples: number('sampling_n_next_states'),
            sigma: [...(given.sigma?.data ?? [])].map((std) => std * number('s_prime_std_ratio')),
            temperature: number('cql_temp'),
            clip: penaltyClip(),
            ceiling: number('sim_q_coeff_max'),
            gate: 'floor',
            form: flag('use_variant') ? 'mean' : 'softmax',
            adaptive: flag('use_sim_q_coeff'),
          },
        },
        agent,
      );
    case 'h2oplus':
      return bind(
        algorithms['h2o+'],
        {
          ...common,
          discriminators: discriminators(),
          importanceClip: importanceClip(),
          quantile: number('quantile'),
          exploit: number('exploit_coeff'),
        },
        agent,
      );
  }
}

/** Options of the authors' code that are built in one way only. */
const fixed: Readonly<Record<string, unknown>> = {
  target_update_period: 1,
  optimizer_type: 'adam',
  reward_scale: 1,
  use_cql: true,
  u_ablation: false,
  use_kl_baseline: false,
  sim_q_coeff_min: 1e-45,
  cql_importance_sample: true,
  cql_lagrange: false,
  cql_max_target_backup: false,
  automatic_exploit_coeff_tuning: false,
  backup_dynamics_entropy: false,
  in_sample: true,
  use_quantile_regression: true,
  use_real_blended_target: true,
  use_sim_blended_target: true,
};

interface Bindable<Settings> {
  inputs(settings: Settings, sizes: Agent['sizes']): StepNeeds;
  step(agent: Agent, settings: Settings): TrainingStep;
}
function bind<Settings>(algorithm: Bindable<Settings>, settings: Settings, agent: Agent) {
  return { step: algorithm.step(agent, settings), inputs: algorithm.inputs(settings, agent.sizes) };
}

function value(config: TrainingCase['config'], key: string, kind: 'number'): number;
function value(config: TrainingCase['config'], key: string, kind: 'boolean'): boolean;
function value(config: TrainingCase['config'], key: string, kind: 'number' | 'boolean') {
  const found = config[key];
  if (typeof found === kind) return found;
  throw new Error(`the authors' option ${key} is ${found}, not a ${kind}`);
}

function metricProblems(
  given: TrainingCase,
  index: number,
  outputs: Readonly<Record<string, Float32Array>>,
  { metrics }: ExpectedStep,
): string[] {
  const ours = authorsMetrics(given, index, outputs);
  return Object.entries(metrics).flatMap(([name, wanted]) => {
    const compute = ours[name];
    if (compute === undefined) return [`nobody knows the metric ${name}`];
    const got = compute();
    return Math.abs(got - wanted) <= tolerance.metric * (1 + Math.abs(wanted))
      ? []
      : [`${name} is ${got}, should be ${wanted}`];
  });
}

function sampleProblems(outputs: Readonly<Record<string, Float32Array>>, { perSample }: ExpectedStep): string[] {
  return Object.entries(perSample).flatMap(([name, { data }]) => {
    const got = outputs[`sample/${name}`];
    if (!got) return [`${name} is missing`];
    // log ω of a gated sample is −∞ or about −103, as the sum of u falls out: the README says not to compare it.
    const gated = (value: number) => name === 'logOmega' && value < -80;
    const [a, b] = [got, data].map((values) => values.map((one) => (gated(one) ? -80 : one))) as [
      Float32Array,
      Float32Array,
    ];
    return different(name, a, b, tolerance.sample * greatest(b));
  });
}

function gradientProblems(
  agent: Agent,
  outputs: Readonly<Record<string, Float32Array>>,
  { grads }: ExpectedStep,
): string[] {
  const optimisers: Readonly<Record<string, { readonly layout: Layout }>> = agent as unknown as Record<
    string,
    Followed
  >;
  return [...arraysOf(agent, grads ?? {})].flatMap(([what, owner, slice, wanted]) => {
    const name = Object.keys(optimisers).find((key) => optimisers[key] === owner);
    const flat = outputs[`gradient/${name}`];
    const got = flat && owner.layout.read(flat)[slice];
    return different(`gradient of ${what}`, got, wanted, tolerance.gradient * greatest(wanted));
  });
}

function weightProblems(agent: Agent, { weights, logAlpha }: ExpectedStep): string[] {
  const set: NetworkSet = weights ?? (logAlpha === undefined ? {} : { logAlpha });
  return [...arraysOf(agent, set)].flatMap(([what, { layout, parameters }, slice, wanted]) =>
    different(what, layout.read(parameters.dataSync<'float32'>())[slice], wanted, tolerance.weight),
  );
}

const greatest = (values: Float32Array) => values.reduce((top, one) => Math.max(top, Math.abs(one)), 0);

function different(what: string, got: Float32Array | undefined, wanted: Float32Array, allowed: number): string[] {
  if (got?.length !== wanted.length) return [`${what} has ${got?.length} numbers, should have ${wanted.length}`];
  let worst = 0;
  for (const [index, value] of got.entries()) {
    const difference = Math.abs(value - (wanted[index] ?? Number.NaN));
    if (!(difference <= worst)) worst = difference;
  }
  return worst <= allowed ? [] : [`${what} differs by ${worst}, allowed is ${allowed}`];
}
