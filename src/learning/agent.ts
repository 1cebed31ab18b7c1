import { adamUpdate } from './adam.ts';
import { initialise, type Layouts, layouts, type NetworkSizes } from './networks.ts';
import type { Layout } from './parameters.ts';
import { tf } from './tf.ts';

/** What an optimiser owns: its parameters and Adam's moments, [size] each, or [K, size] for K seeds. */
export interface Trained {
  readonly layout: Layout;
  readonly parameters: tf.Variable;
  readonly m: tf.Variable;
  readonly v: tf.Variable;
}

/** Parameters that follow others and have no optimiser. */
export interface Followed {
  readonly layout: Layout;
  readonly parameters: tf.Variable;
}

export interface AgentOptions {
  readonly sizes: NetworkSizes;
  /** initial numbers of each seed: one source of uniform numbers in [0, 1) for each; their count is K */
  readonly random: readonly (() => number)[];
  /** put before the names of the variables, which are unique in a process; default `agent/` */
  readonly name?: string;
  readonly initialLogAlpha?: number;
}

/**
 * Everything that learns, and nothing that computes: the networks' parameters and the optimisers' moments as variables.
 * With one seed the leading axis K is dropped.
 */
export class Agent {
  readonly sizes: NetworkSizes;
  readonly seeds: number;
  readonly policy: Trained;
  readonly q: Trained;
  readonly targetQ: Followed;
  /** used by H2O+ alone */
  readonly v: Trained;
  /** used where the dynamics gap is estimated */
  readonly dSa: Trained;
  readonly dSas: Trained;
  readonly alpha: Trained;
  /** moving average of the policy, which is what is evaluated and exported where the recipe says so */
  readonly averagePolicy: Followed;

  constructor({ sizes, random, name = 'agent/', initialLogAlpha = 0 }: AgentOptions) {
    this.sizes = sizes;
    this.seeds = random.length;
    const every = layouts(sizes);
    const variable = (key: string, flat: tf.Tensor) => {
      const created = tf.variable(flat, true, `${name}${key}`);
      flat.dispose();
      return created;
    };
    const trained = (kind: keyof Layouts): Trained => {
      const layout = every[kind];
      const initial = stack(random.map((source) => initialise(layout, kind, source)));
      return {
        layout,
        m: variable(`${kind}/m`, tf.zerosLike(initial)),
        v: variable(`${kind}/v`, tf.zerosLike(initial)),
        parameters: variable(kind, initial),
      };
    };
    const follower = (key: string, { layout, parameters }: Trained): Followed => ({
      layout,
      parameters: variable(key, parameters.clone()),
    });
    this.policy = trained('policy');
    this.q = trained('q');
    this.targetQ = follower('targetQ', this.q);
    this.v = trained('v');
    this.dSa = trained('dSa');
    this.dSas = trained('dSas');
    this.alpha = trained('alpha');
    tf.tidy(() => this.alpha.parameters.assign(tf.fill(this.alpha.parameters.shape, initialLogAlpha)));
    this.averagePolicy = follower('averagePolicy', this.policy);
  }

  /** Every variable, in a fixed order. */
  get variables(): tf.Variable[] {
    const { policy, q, targetQ, v, dSa, dSas, alpha, averagePolicy } = this;
    const trained = [policy, q, v, dSa, dSas, alpha].flatMap((one) => [one.parameters, one.m, one.v]);
    return [...trained, targetQ.parameters, averagePolicy.parameters];
  }

  dispose(): void {
    for (const variable of this.variables) variable.dispose();
  }
}

/** One Adam step on what an optimiser owns. */
export function descend(
  { parameters, m, v }: Trained,
  gradient: tf.Tensor,
  { lr, step }: { readonly lr: tf.Tensor; readonly step: tf.Tensor },
): void {
  const next = adamUpdate({ parameters, gradient, m, v, step, lr, beta1: 0.9, beta2: 0.999, eps: 1e-8 });
  parameters.assign(next.parameters);
  m.assign(next.m);
  v.assign(next.v);
}

function stack(vectors: readonly Float32Array[]): tf.Tensor {
  const size = vectors[0]?.length ?? 0;
  if (vectors.length === 1) return tf.tensor(vectors[0] ?? new Float32Array(0), [size]);
  const flat = new Float32Array(size * vectors.length);
  vectors.forEach((vector, seed) => {
    flat.set(vector, seed * size);
  });
  return tf.tensor(flat, [vectors.length, size]);
}
