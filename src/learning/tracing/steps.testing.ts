import { adamUpdate } from '../adam.ts';
import { tf } from '../tf.ts';
import type { InputSpecs, Step } from './trace.ts';
import { numbersOf, tensorOf } from './tracing.testing.ts';

/** Sizes of a small actor-critic problem; `seeds` gives every tensor a leading axis. */
export interface Sizes {
  readonly observation: number;
  readonly action: number;
  readonly hidden: number;
  readonly batch: number;
  readonly seeds?: number;
}

interface Layer {
  readonly inputs: number;
  readonly outputs: number;
}

/** Cuts a flat vector [P] or [K, P] into the weights and biases of a network. */
function layersOf(flat: tf.Tensor, layers: readonly Layer[]): { w: tf.Tensor; b: tf.Tensor }[] {
  const lead = flat.shape.slice(0, -1);
  const sizes = layers.flatMap(({ inputs, outputs }) => [inputs * outputs, outputs]);
  const parts = tf.split(flat, sizes, -1);
  return layers.map(({ inputs, outputs }, at) => ({
    w: tf.reshape(parts[2 * at] ?? flat, [...lead, inputs, outputs]),
    b: tf.reshape(parts[2 * at + 1] ?? flat, [...lead, ...lead.map(() => 1), outputs]),
  }));
}

function network(flat: tf.Tensor, layers: readonly Layer[], x: tf.Tensor): tf.Tensor {
  const all = layersOf(flat, layers);
  return all.reduce((h, { w, b }, at) => {
    const sum = tf.add(tf.matMul(h, w), b);
    return at < all.length - 1 ? tf.relu(sum) : sum;
  }, x);
}

const countOf = (layers: readonly Layer[]): number =>
  layers.reduce((sum, { inputs, outputs }) => sum + (inputs + 1) * outputs, 0);

/** Names of variables are taken for as long as these live. */
let made = 0;

/**
 * A soft actor-critic step, short but with all that the real ones have: a squashed Gaussian policy, twin critics, a learned
 * temperature, Adam, slow targets. Its state stands in flat vectors, one per optimiser and moment.
 */
export function actorCritic({ observation, action, hidden, batch, seeds }: Sizes, seed = 1) {
  const lead = seeds === undefined ? [] : [seeds];
  const actorLayers = mlp(observation, hidden, 2 * action);
  const criticLayers = mlp(observation + action, hidden, 1);
  const initial = (name: string, count: number, scale: number, salt: number) =>
    Array.from({ length: seeds ?? 1 }, (_, at) => numbersOf(seed + salt + 100 * at, count, -scale, scale)).map(
      (numbers) => ({
        name,
        numbers,
      }),
    );
  const variable = (name: string, count: number, scale: number, salt = 0): tf.Variable => {
    const rows = initial(name, count, scale, salt).flatMap(({ numbers }) => [...numbers]);
    return tf.variable(tf.tensor(rows, [...lead, count]), true, `${name}/${made++}`);
  };
  const actorSize = countOf(actorLayers);
  const criticSize = countOf(criticLayers);
  const actor = variable('actor', actorSize, 0.3, 1);
  const critics = variable('critics', 2 * criticSize, 0.3, 2);
  const targets = variable('targets', 2 * criticSize, 0, 2);
  targets.assign(critics.clone());
  const logAlpha = variable('logAlpha', 1, 0);
  const moments = [actor, critics, logAlpha].map((of, at) =>
    ['m', 'v'].map((name) => variable(`${name}${at}`, of.shape.at(-1) ?? 1, 0)),
  );

  const policy = (flat: tf.Tensor, s: tf.Tensor, noise: tf.Tensor) => {
    const [mean = s, raw = s] = tf.split(network(flat, actorLayers, s), 2, -1);
    const std = tf.exp(tf.clipByValue(raw, -20, 2));
    const x = tf.add(mean, tf.mul(std, noise));
    const jacobian = tf.mul(tf.sub(tf.sub(Math.LN2, x), tf.softplus(tf.mul(x, -2))), 2);
    const gaussian = tf.sub(tf.mul(tf.square(noise), -0.5), tf.add(tf.log(std), 0.5 * Math.log(2 * Math.PI)));
    return { a: tf.tanh(x), logPi: tf.sum(tf.sub(gaussian, jacobian), -1, true) };
  };
  const values = (flat: tf.Tensor, s: tf.Tensor, a: tf.Tensor) => {
    const [one = flat, two = flat] = tf.split(flat, 2, -1);
    const sa = tf.concat([s, a], -1);
    return [network(one, criticLayers, sa), network(two, criticLayers, sa)] as const;
  };
  /** Seeds do not touch each other, so the sum of their losses has each one's own gradient. */
  const meanOfBatch = (x: tf.Tensor) => tf.sum(tf.mean(x, [-2, -1]));

  const step: Step = (inputs) => {
    const { s, a, r, next, done, noise, nextNoise, t, lr } = inputs as Record<string, tf.Tensor>;
    if (!s || !a || !r || !next || !done || !noise || !nextNoise || !t || !lr) throw new Error('an input is missing');
    const { a: nextAction } = policy(actor, next, nextNoise);
    const y = tf.add(r, tf.mul(tf.mul(tf.sub(1, done), 0.99), tf.minimum(...values(targets, next, nextAction))));
    const critic = tf.valueAndGrads((flat: tf.Tensor) => {
      const [one, two] = values(flat, s, a);
      return tf.add(meanOfBatch(tf.squaredDifference(one, y)), meanOfBatch(tf.squaredDifference(two, y)));
    })([critics]);
    const alpha = tf.reshape(tf.exp(logAlpha), [...lead, 1, 1].slice(-(lead.length + 2)));
    const acting = tf.valueAndGrads((flat: tf.Tensor) => {
      const { a: own, logPi } = policy(flat, s, noise);
      return meanOfBatch(tf.sub(tf.mul(alpha, logPi), tf.minimum(...values(critics, s, own))));
    })([actor]);
    const { logPi } = policy(actor, s, noise);
    const entropyGap = tf.reshape(tf.mean(tf.sub(logPi, action), [-2, -1]), [...lead, 1]);
    const gradients = [acting.grads[0], critic.grads[0], tf.neg(entropyGap)];
    [actor, critics, logAlpha].forEach((parameters, at) => {
      const [m, v] = moments[at] ?? [];
      const gradient = gradients[at];
      if (!m || !v || !gradient) throw new Error('no moments');
      const updated = adamUpdate({ parameters, gradient, m, v, step: t, lr });
      parameters.assign(updated.parameters);
      m.assign(updated.m);
      v.assign(updated.v);
    });
    targets.assign(tf.add(targets, tf.mul(tf.sub(critics, targets), 0.005)));
    return { criticLoss: critic.value, actorLoss: acting.value, entropyGap };
  };

  const rows = [...lead, batch];
  const shapes: Readonly<Record<string, readonly number[]>> = {
    s: [...rows, observation],
    a: [...rows, action],
    r: [...rows, 1],
    next: [...rows, observation],
    done: [...rows, 1],
    noise: [...rows, action],
    nextNoise: [...rows, action],
    t: [],
    lr: [],
  };
  const inputs: InputSpecs = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [name, { shape, dtype: 'float32' as const }]),
  );
  const variables = [actor, critics, targets, logAlpha, ...moments.flat()];
  return {
    step,
    inputs,
    variables,
    /** The batch, noise, number and learning rate of the step t = 1, 2, … */
    feeds: (t: number): Record<string, tf.Tensor> => {
      const fed = Object.entries(shapes).map(([name, shape], at): [string, tf.Tensor] => [
        name,
        name === 't' ? tf.scalar(t) : name === 'lr' ? tf.scalar(3e-3) : tensorOf(1000 * t + at, shape, -1, 1),
      ]);
      return Object.fromEntries(
        fed.map(([name, x]) => [name, name === 'done' ? tf.cast(tf.greater(x, 0.9), 'float32') : x]),
      );
    },
    dispose: () => tf.dispose(variables),
  };
}

const mlp = (inputs: number, hidden: number, outputs: number): Layer[] => [
  { inputs, outputs: hidden },
  { inputs: hidden, outputs: hidden },
  { inputs: hidden, outputs },
];
