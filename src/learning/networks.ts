import { denseSlices, Layout, type Slices } from './parameters.ts';
import { tf } from './tf.ts';

// Shapes below leave out the leading seed axis K, which every tensor may have: [K, B, n] for [B, n].

/** Sizes of everything that is learned. */
export interface NetworkSizes {
  readonly observation: number;
  readonly action: number;
  /** of policy, Q and V */
  readonly hidden: readonly number[];
  /** of both discriminators */
  readonly discriminatorHidden: readonly number[];
}

/** Layout of every network's parameters. Names as in the authors' code: `policy`, `qf1` and `qf2`, `vf`, `dSa`, `dSas`. */
export function layouts({ observation, action, hidden, discriminatorHidden }: NetworkSizes) {
  const q = [observation + action, ...hidden, 1];
  return {
    policy: new Layout([
      ...denseSlices([observation, ...hidden, 2 * action]),
      { name: 'logStdMultiplier', shape: [1] },
      { name: 'logStdOffset', shape: [1] },
    ]),
    q: new Layout([...denseSlices(q, 'qf1.'), ...denseSlices(q, 'qf2.')]),
    v: new Layout(denseSlices([observation, ...hidden, 1])),
    dSa: new Layout(denseSlices([observation + action, ...discriminatorHidden, 2])),
    dSas: new Layout(denseSlices([2 * observation + action, ...discriminatorHidden, 2])),
    alpha: new Layout([{ name: 'logAlpha', shape: [1] }]),
  } as const;
}
export type Layouts = ReturnType<typeof layouts>;

/** Dense layers with ReLU between them: [B, in] → [B, out]. */
export function dense(x: tf.Tensor, slices: Slices, prefix = ''): tf.Tensor {
  let y = x;
  for (let layer = 0; ; layer += 1) {
    const weight = slices[`${prefix}W${layer}`];
    const bias = slices[`${prefix}b${layer}`];
    if (weight === undefined || bias === undefined) return y;
    y = tf.add(tf.matMul(layer === 0 ? y : tf.relu(y), weight), bias);
  }
}

/** Least and greatest log σ of the policy. */
const logStdBounds = [-20, 2] as const;
const ln2 = Math.log(2);
const halfLogTwoPi = 0.5 * Math.log(2 * Math.PI);

export interface TanhGaussian {
  /** [B, dA] */
  readonly mean: tf.Tensor;
  /** [B, dA], before the clamp */
  readonly logStd: tf.Tensor;
}

/** log σ = m·raw + o with trainable scalars m and o. */
export function tanhGaussian(layout: Layout, parameters: tf.Tensor, observation: tf.Tensor): TanhGaussian {
  const slices = layout.split(parameters);
  const [mean, raw] = tf.split(dense(observation, slices), 2, -1) as [tf.Tensor, tf.Tensor];
  const { logStdMultiplier, logStdOffset } = slices as Slices & Record<'logStdMultiplier' | 'logStdOffset', tf.Tensor>;
  return { mean, logStd: tf.add(tf.mul(raw, logStdMultiplier), logStdOffset) };
}

/**
 * a = tanh(x), x = μ + σ·ε, and log π(a|s) = Σ_dims [log N(x; μ, σ) − log(1 − tanh²x)].
 *
 * log N is written with ε instead of (x − μ)/σ, which loses a small σ beside a large μ in single precision, and
 * log(1 − tanh²x) = 2(ln 2 − x − softplus(−2x)), which stays finite where tanh saturates.
 * @param epsilon [B, dA], unit normal
 * @returns action [B, dA], logPi [B]
 */
export function sample({ mean, logStd }: TanhGaussian, epsilon: tf.Tensor): { action: tf.Tensor; logPi: tf.Tensor } {
  const clamped = tf.clipByValue(logStd, ...logStdBounds);
  const x = tf.add(mean, tf.mul(tf.exp(clamped), epsilon));
  const logNormal = tf.sub(tf.mul(tf.square(epsilon), -0.5), tf.add(clamped, halfLogTwoPi));
  return { action: tf.tanh(x), logPi: tf.sum(tf.sub(logNormal, logJacobian(x)), -1) };
}

/**
 * log π of an action that was not sampled here, such as one of the data. Actions at ±1 are taken as ±(1 − 10⁻⁶), where the
 * density is still finite.
 * @param action [B, dA]
 * @returns [B]
 */
export function logProbability({ mean, logStd }: TanhGaussian, action: tf.Tensor): tf.Tensor {
  const clamped = tf.clipByValue(logStd, ...logStdBounds);
  const x = tf.atanh(tf.clipByValue(action, -1 + 1e-6, 1 - 1e-6));
  const z = tf.div(tf.sub(x, mean), tf.exp(clamped));
  const logNormal = tf.sub(tf.mul(tf.square(z), -0.5), tf.add(clamped, halfLogTwoPi));
  return tf.sum(tf.sub(logNormal, logJacobian(x)), -1);
}

/** log(1 − tanh²x), elementwise */
const logJacobian = (x: tf.Tensor): tf.Tensor => tf.mul(tf.sub(tf.sub(ln2, x), tf.softplus(tf.mul(x, -2))), 2);

/** Q1 and Q2 of [B, dS + dA], [B] each. */
export function twinQ(layout: Layout, parameters: tf.Tensor, stateAction: tf.Tensor): [tf.Tensor, tf.Tensor] {
  const slices = layout.split(parameters);
  return [flatten(dense(stateAction, slices, 'qf1.')), flatten(dense(stateAction, slices, 'qf2.'))];
}

/** V of [B, dS], [B]. */
export function value(layout: Layout, parameters: tf.Tensor, state: tf.Tensor): tf.Tensor {
  return flatten(dense(state, layout.split(parameters)));
}

/** Logits [B, 2] of a discriminator, class 0 = real, 1 = simulated; 2·tanh keeps them in (−2, 2). */
export function discriminatorLogits(layout: Layout, parameters: tf.Tensor, input: tf.Tensor): tf.Tensor {
  return tf.mul(tf.tanh(dense(input, layout.split(parameters))), 2);
}

/** [B, 1] → [B] */
const flatten = (column: tf.Tensor): tf.Tensor => tf.squeeze(column, [-1]);

/** Joins tensors along the features of each row. */
export const features = (...parts: readonly tf.Tensor[]): tf.Tensor => tf.concat([...parts], -1);

/** Joins batches of [B, n] along their rows. */
export const rows = (...batches: readonly tf.Tensor[]): tf.Tensor => tf.concat([...batches], -2);

/** Real and simulated half of what was computed for both at once, [2B] → [B], [B]. */
export const halves = (both: tf.Tensor): [tf.Tensor, tf.Tensor] => tf.split(both, 2, -1) as [tf.Tensor, tf.Tensor];

/**
 * Initial numbers of a network: hidden layers U(±1/√fan_in), weights and biases, as PyTorch's Linear; last layer of policy,
 * Q and V Xavier-uniform with gain 0.01 and no bias, so that actions and values begin near zero. Discriminators keep the
 * first rule in every layer.
 * @param random uniform in [0, 1)
 */
export function initialise(layout: Layout, kind: keyof Layouts, random: () => number): Float32Array {
  const smallLast = kind !== 'dSa' && kind !== 'dSas';
  const last = Math.max(...layout.slices.map(({ name }) => Number(/W(\d+)$/.exec(name)?.[1] ?? -1)));
  let fanIn = 1;
  const flat = new Float32Array(layout.size);
  for (const [name, values] of Object.entries(layout.read(flat))) {
    const [, letter, index] = /([Wb])(\d+)$/.exec(name) ?? [];
    const shape = layout.slices.find((slice) => slice.name === name)?.shape ?? [];
    if (letter === 'W') fanIn = shape[0] ?? 1;
    if (letter === undefined) values.fill(constants[name] ?? 0);
    else if (!smallLast || Number(index) !== last) uniform(values, 1 / Math.sqrt(fanIn), random);
    else if (letter === 'W') uniform(values, 0.01 * Math.sqrt(6 / (fanIn + (shape[1] ?? 1))), random);
  }
  return flat;
}

/** Scalars start here; log α at 0. */
const constants: Readonly<Record<string, number>> = { logStdMultiplier: 1, logStdOffset: -1 };

function uniform(values: Float32Array, bound: number, random: () => number): void {
  for (let index = 0; index < values.length; index += 1) values[index] = (2 * random() - 1) * bound;
}
