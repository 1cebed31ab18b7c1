import {
  type ActorCriticSettings,
  actorGradients,
  actorMetrics,
  criticGradient,
  nextValue,
  updateActorCritic,
} from '../actor-critic.ts';
import { descend } from '../agent.ts';
import {
  type DiscriminatorSettings,
  discriminatorGradients,
  dynamicsGap,
  type GapGate,
  gapPenalty,
  gapPenaltyByMean,
  importanceWeights,
  logSimToRealOfEach,
  perturbNextStates,
} from '../dynamics-ratio.ts';
import { bellmanLoss, bellmanTarget, clip, mean } from '../losses.ts';
import { features, halves, rows } from '../networks.ts';
import { tf } from '../tf.ts';
import { type Algorithm, discriminatorInputs, InputReader, named } from '../training-step.ts';

export interface H2oSettings extends ActorCriticSettings {
  /** rows of each source */
  readonly batch: number;
  readonly discriminators: DiscriminatorSettings;
  /** bounds of w; null takes simulated rows as they are, w = 1 */
  readonly importanceClip: readonly [number, number] | null;
  readonly gap: {
    /** β of the penalty */
    readonly weight: number;
    /** N samples around s' for u */
    readonly samples: number;
    /** spread of those samples, [dS] */
    readonly sigma: readonly number[];
    /** T of the log-sum-exp */
    readonly temperature: number;
    /** bounds of the penalty before β; no gradient outside */
    readonly clip: readonly [number, number];
    /** greatest u */
    readonly ceiling: number;
    readonly gate: GapGate;
    /** `softmax`: T log Σ exp((Q + log ω)/T); `mean`: Σ ω·Q */
    readonly form: 'softmax' | 'mean';
    /** false: every simulated pair counts the same, u = 1 */
    readonly adaptive: boolean;
  };
}

/**
 * H2O (Niu et al. 2022): real and simulated rows in every batch; simulated ones count by how likely the robot would do the
 * same (w), and the value of those whose dynamics differ (ω) is pushed down.
 *
 *   y    = r + γ(1 − d) min Q̄(s', a')
 *   w    = clip(p_real(s'|s, a) / p_sim(s'|s, a))
 *   u    = E_{s'~N(s', σ)}[log p_sim − log p_real],  ω = u / Σ u
 *   J_Q  = Σ_i E_real[(Q_i − y)²] + E_sim[w (Q_i − y)²] + β clip(T log Σ_sim exp((Q_i + log ω)/T) − E_real[Q_i])
 */
export const h2o: Algorithm<H2oSettings> = {
  name: 'h2o',

  inputs: ({ batch, discriminators, gap }, sizes) => {
    const ofDiscriminators = discriminatorInputs(discriminators.batch, sizes);
    return {
      batches: { real: { from: 'real', rows: batch }, sim: { from: 'sim', rows: batch }, ...ofDiscriminators.batches },
      normals: {
        ...ofDiscriminators.normals,
        epsMixed: [2 * batch, sizes.action],
        epsRealNext: [batch, sizes.action],
        epsSimNext: [batch, sizes.action],
        sPrime: [batch * gap.samples, sizes.observation],
      },
    };
  },

  step: (agent, settings) => (inputs) => {
    const given = new InputReader(inputs);
    const [real, sim] = [given.batch('real'), given.batch('sim')];
    const { scaling } = settings.discriminators;
    const { gap } = settings;

    const d = discriminatorGradients(agent, given.discriminators(), settings.discriminators);
    descend(agent.dSa, d.gradientSa, given.pace);
    descend(agent.dSas, d.gradientSas, given.pace);

    const actor = actorGradients(agent, settings, rows(real.s, sim.s), given.one('epsMixed'));

    const epsNext = rows(given.one('epsRealNext'), given.one('epsSimNext'));
    const [targetReal, targetSim] = halves(
      nextValue(agent, settings, rows(real.sNext, sim.sNext), epsNext, actor.alpha),
    );
    const yReal = bellmanTarget(real.r, real.done, targetReal, settings.discount);
    const ySim = bellmanTarget(sim.r, sim.done, targetSim, settings.discount);

    const near = perturbNextStates(sim, tf.tensor1d([...gap.sigma]), given.one('sPrime'), gap.samples);
    const [logRatio, logRatioSamples] = logSimToRealOfEach(agent, [sim, near], scaling) as [tf.Tensor, tf.Tensor];
    const { rho, w } = importanceWeights(logRatio, settings.importanceClip);
    const { u, omega, logOmega, active } = dynamicsGap(
      gap.adaptive ? logRatioSamples : tf.onesLike(logRatioSamples),
      gap.samples,
      gap.ceiling,
      gap.gate,
    );

    const sa = rows(features(real.s, real.a), features(sim.s, sim.a));
    const critic = criticGradient(agent, sa, (q) => {
      const [qReal, qSim] = halves(q);
      const errorReal = bellmanLoss(qReal, yReal);
      const errorSim = bellmanLoss(qSim, ySim, w);
      const excess =
        gap.form === 'softmax'
          ? gapPenalty(qSim, qReal, logOmega, gap.temperature)
          : gapPenaltyByMean(qSim, qReal, omega);
      const penalty = tf.mul(tf.mul(clip(excess, gap.clip), active), gap.weight);
      return {
        loss: tf.addN([errorReal, errorSim, penalty]),
        errorReal,
        errorSim,
        excess,
        penalty,
        meanReal: mean(qReal),
        meanSim: mean(qSim),
      };
    });

    const gradients = { alpha: actor.ofAlpha.gradient, policy: actor.ofPolicy.gradient, q: critic.gradient };
    updateActorCritic(agent, settings, gradients, given.pace);
    return {
      ...actorMetrics(actor),
      ...critic.report,
      dSaLoss: d.lossSa,
      dSasLoss: d.lossSas,
      targetQReal: mean(targetReal),
      targetQSim: mean(targetSim),
      w: mean(w),
      u: mean(u),
      ...(settings.diagnostics && {
        ...named('gradient/', { ...gradients, dSa: d.gradientSa, dSas: d.gradientSas }),
        ...named('sample/', { rho, w, u, omega, logOmega, logRatioSamples }),
      }),
    };
  },
};
