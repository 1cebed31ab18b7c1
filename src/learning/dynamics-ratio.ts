import type { Agent } from './agent.ts';
import { discriminatorLoss, logitGap, logSumExp, mean } from './losses.ts';
import { discriminatorLogits, features, rows } from './networks.ts';
import { gradientsOf } from './parameters.ts';
import { tf } from './tf.ts';

/** s, a, s' of a batch: [B, dS], [B, dA], [B, dS]. */
export interface Transitions {
  readonly s: tf.Tensor;
  readonly a: tf.Tensor;
  readonly sNext: tf.Tensor;
}

/** Mean and spread of each number of a vector. */
export interface Moments {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/**
 * What the discriminators see. `null`: s, a, s' as they are (the authors). Else s and a less their mean over their spread,
 * and in place of s' the change s' − s treated in the same way: the transition then is not drowned by the state.
 */
export type DiscriminatorScaling = { readonly s: Moments; readonly a: Moments; readonly change: Moments } | null;

export interface DiscriminatorSettings {
  /** rows of each source */
  readonly batch: number;
  /** std of the noise on every input while training, so that the nets cannot tell single samples apart */
  readonly noiseStd: number;
  readonly scaling: DiscriminatorScaling;
}

export function discriminatorInput({ s, a, sNext }: Transitions, scaling: DiscriminatorScaling): Transitions {
  if (!scaling) return { s, a, sNext };
  return {
    s: standardise(s, scaling.s),
    a: standardise(a, scaling.a),
    sNext: standardise(tf.sub(sNext, s), scaling.change),
  };
}

const standardise = (x: tf.Tensor, moments: Moments): tf.Tensor =>
  tf.div(tf.sub(x, tf.tensor1d([...moments.mean])), tf.tensor1d([...moments.std]));

/** Unit normals of the shapes of s, a, s'. */
export type TransitionNoise = Transitions;

export interface DiscriminatorBatches {
  readonly real: Transitions;
  readonly sim: Transitions;
  readonly noise: { readonly real: TransitionNoise; readonly sim: TransitionNoise };
}

/**
 * Losses and gradients of D_sa and D_sas (Eysenbach et al. 2021, H2O eq. for p(real | s, a) and p(real | s, a, s')).
 *
 *   l = D_sa(s, a),  g = D_sas(s, a, s'),  p_sa = softmax(l),  p_sas = softmax(g + l)
 *
 * D_sa learns from both losses, D_sas from its own.
 */
export function discriminatorGradients(
  { dSa, dSas }: Pick<Agent, 'dSa' | 'dSas'>,
  { real, sim, noise }: DiscriminatorBatches,
  { noiseStd, scaling }: DiscriminatorSettings,
) {
  const blurred = (batch: Transitions, unit: TransitionNoise): [tf.Tensor, tf.Tensor] => {
    const { s, a, sNext } = discriminatorInput(batch, scaling);
    const sa = tf.add(features(s, a), tf.mul(features(unit.s, unit.a), noiseStd));
    return [sa, features(sa, tf.add(sNext, tf.mul(unit.sNext, noiseStd)))];
  };
  const [realSa, realSas] = blurred(real, noise.real);
  const [simSa, simSas] = blurred(sim, noise.sim);
  const sa = rows(realSa, simSa);
  const sas = rows(realSas, simSas);
  const loss = (gap: tf.Tensor) => discriminatorLoss(gap, real.s.shape.at(-2) ?? 0, sim.s.shape.at(-2) ?? 0);

  const { lossSa, lossSas, gradients } = gradientsOf([dSa.parameters, dSas.parameters], (ofSa, ofSas) => {
    const l = logitGap(discriminatorLogits(dSa.layout, ofSa as tf.Tensor, sa));
    const g = logitGap(discriminatorLogits(dSas.layout, ofSas as tf.Tensor, sas));
    const both = { lossSa: loss(l), lossSas: loss(tf.add(g, l)) };
    return { loss: tf.add(both.lossSa, both.lossSas), ...both };
  });
  return { lossSa, lossSas, gradientSa: gradients[0] as tf.Tensor, gradientSas: gradients[1] as tf.Tensor };
}

/**
 * log p_sim(s'|s, a) − log p_real(s'|s, a), [B], in [−4, 4].
 *
 * By the definition −log p_sas[real] + log p_sas[sim] + log p_sa[real] − log p_sa[sim]; as p_sas = softmax(g + l) and
 * p_sa = softmax(l), l cancels, and what is left is the logit gap of D_sas alone.
 */
export function logSimToReal(
  { dSas }: Pick<Agent, 'dSas'>,
  batch: Transitions,
  scaling: DiscriminatorScaling,
): tf.Tensor {
  return logSimToRealOfEach({ dSas }, [batch], scaling)[0] as tf.Tensor;
}

/** The same for several batches, [B] each, in one pass through the network. */
export function logSimToRealOfEach(
  { dSas }: Pick<Agent, 'dSas'>,
  batches: readonly Transitions[],
  scaling: DiscriminatorScaling,
): tf.Tensor[] {
  const inputs = batches.map((batch) => {
    const { s, a, sNext } = discriminatorInput(batch, scaling);
    return features(s, a, sNext);
  });
  const gap = logitGap(discriminatorLogits(dSas.layout, dSas.parameters, rows(...inputs)));
  if (inputs.length === 1) return [gap];
  return tf.split(
    gap,
    inputs.map(({ shape }) => shape.at(-2) ?? 0),
    -1,
  );
}

/**
 * ρ = p_real(s'|s, a) / p_sim(s'|s, a), and the importance weight w = clip(ρ).
 * @param clip null weighs every sample the same, w = 1
 */
export function importanceWeights(logRatio: tf.Tensor, clip: readonly [number, number] | null) {
  const rho = tf.exp(tf.neg(logRatio));
  return { rho, w: clip ? tf.clipByValue(rho, clip[0], clip[1]) : tf.onesLike(rho) };
}

/**
 * Samples around s': [B, dS] → [B·N, dS], row b·N + n belongs to pair b.
 * @param sigma [dS]
 * @param unit [B·N, dS], unit normals
 */
export function perturbNextStates(batch: Transitions, sigma: tf.Tensor, unit: tf.Tensor, samples: number): Transitions {
  return {
    s: repeatRows(batch.s, samples),
    a: repeatRows(batch.a, samples),
    sNext: tf.add(repeatRows(batch.sNext, samples), tf.mul(unit, sigma)),
  };
}

/** Each row N times, one after the other. */
export function repeatRows(x: tf.Tensor, times: number): tf.Tensor {
  const [lead, [count = 0, width = 0]] = [x.shape.slice(0, -2), x.shape.slice(-2)];
  const tiled = tf.tile(tf.expandDims(x, -2), [...lead.map(() => 1), 1, times, 1]);
  return tf.reshape(tiled, [...lead, count * times, width]);
}

/**
 * How a pair whose estimated gap is not positive leaves the penalty.
 *
 * - `masked`: it takes no part in the log-sum-exp, and a batch without any gap has no penalty.
 * - `floor`: u is at least 1e-45, as the authors have it. In single precision that is a denormal, and whether log ω of such
 *   a pair is −103 or −∞ depends on whether Σu is below or above 2; a batch without any gap is penalised uniformly.
 */
export type GapGate = 'masked' | 'floor';

const publishedFloor = 1e-45;
/** Stands for log 0 and stays finite when it is multiplied or subtracted. */
const gatedLog = -1e30;

/**
 * The dynamics gap of each simulated pair and its share in the penalty (H2O eq. for u and ω).
 *
 *   u(s, a) = clip(1/N · Σ_n log p_sim(s'_n|s, a)/p_real(s'_n|s, a)),  ω = u / Σ u
 *
 * @param logRatios [B·N]
 * @returns u, ω and log ω [B]; `active` [] is 0 where the penalty has no sample at all, else 1
 */
export function dynamicsGap(logRatios: tf.Tensor, samples: number, ceiling: number, gate: GapGate) {
  const lead = logRatios.shape.slice(0, -1);
  const raw = mean(tf.reshape(logRatios, [...lead, -1, samples]));
  if (gate === 'floor') {
    const u = tf.clipByValue(raw, publishedFloor, ceiling);
    const omega = tf.div(u, tf.sum(u, -1, true));
    return { u, omega, logOmega: tf.log(omega), active: tf.onesLike(tf.sum(u, -1)) };
  }
  const u = tf.clipByValue(raw, 0, ceiling);
  const sum = tf.sum(u, -1, true);
  const omega = tf.div(u, tf.maximum(sum, smallest));
  const logOmega = tf.where(
    tf.greater(omega, smallest),
    tf.log(tf.maximum(omega, smallest)),
    tf.fill(u.shape, gatedLog),
  );
  return { u, omega, logOmega, active: tf.squeeze(tf.cast(tf.greater(sum, smallest), 'float32'), [-1]) };
}

/** Below any gap that the discriminators can tell, above every denormal. */
const smallest = 1e-30;

/**
 * T · log Σ_sim exp((Q(s, a) + log ω)/T) − E_real[Q(s, a)]: a soft maximum of Q over simulated pairs, those with a large
 * gap first, against the value of real ones. Pushing it down makes the simulator's exaggerations unattractive.
 */
export function gapPenalty(qSim: tf.Tensor, qReal: tf.Tensor, logOmega: tf.Tensor, temperature: number): tf.Tensor {
  const soft = logSumExp(tf.div(tf.add(qSim, logOmega), temperature));
  return tf.sub(tf.mul(soft, temperature), mean(qReal));
}

/** Σ ω·Q in place of the soft maximum: the mean of Q over the distribution ω. */
export function gapPenaltyByMean(qSim: tf.Tensor, qReal: tf.Tensor, omega: tf.Tensor): tf.Tensor {
  return tf.sub(tf.sum(tf.mul(omega, qSim), -1), mean(qReal));
}
